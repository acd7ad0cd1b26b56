"""The command `play`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from ...presets import Config, agent_task
from ..core.errors import Problem
from .common import Preset

if TYPE_CHECKING:
    from ..agent.rollout import Policy
    from ..task import AgentTask


@dataclass(frozen=True, kw_only=True)
class Play:
    """Play validation tasks with somebody who was not trained here, and keep the transcripts."""

    preset: Preset = "default"
    """The configuration whose tasks are played."""
    player: Literal["base", "expert", "random", "endpoint"] = "base"
    """The base model, the expert that the training imitates, chance, or a server that speaks OpenAI's protocol."""
    endpoint: str = "http://localhost:8000/v1"
    """The server's URL; OPENAI_API_KEY holds its key, where it wants one."""
    model: str = ""
    """What the model is called there."""
    benchmark: bool = False
    """Play the tasks of AgentBench's file (--data.benchmark) instead of the validation tasks."""
    into: Path = Path("episodes")
    """The folder for the transcripts."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..agent.play import play_into
        from ..agent.tasks import tasks_of
        from ..evaluation.scores import scores
        from ..statistics.metrics import show

        if self.player == "endpoint" and not self.model:
            raise Problem("--player endpoint needs --model NAME: what the server calls its model")
        task, data, split = agent_task(), self.config.data, "benchmark" if self.benchmark else "validation"
        name = self.model or (self.config.model.base if self.player == "base" else self.player)
        folder = self.into / f"{data.protocol}-{split}-{name.replace('/', '-')}"
        policy, at_once = self.policy(task)
        show(scores(play_into(folder, tasks_of(data, task, split), task, data.protocol, policy, at_once), {}))
        print(f"\ntranscripts: {folder}")

    def policy(self, task: "AgentTask") -> "tuple[Callable[[], Policy], int]":
        """Who plays, and how many episodes at once."""
        from ..agent.openai_policy import Endpoint
        from ..agent.rollout import AT_ONCE
        from ..agent.scripted import Oracle, Random

        protocol, seed, tokens = self.config.data.protocol, self.config.seed, self.config.train.tokens
        players: dict[str, Callable[[], Policy]] = {
            "expert": lambda: Oracle(task, protocol),
            "random": lambda: Random(task, protocol, seed),
            "endpoint": lambda: Endpoint(self.endpoint, self.model, tokens=tokens, seed=seed),
        }
        return (players[self.player], AT_ONCE) if self.player in players else self.base(task)

    def base(self, task: "AgentTask") -> "tuple[Callable[[], Policy], int]":
        """The base model, and how many of its episodes have room at once."""
        from ..evaluation.policies import policy_of
        from ..finetuning.trajectories import load
        from ..memory.fit import at_once
        from ..models.loading import folder_of

        folder = folder_of(self.config.model.base, load(self.config.data, task).texts)
        at_a_time = at_once(folder, self.config.model, self.config.train)
        return policy_of(self.config, folder, None, "transformers"), at_a_time
