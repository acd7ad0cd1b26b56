"""The command `play`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from ...presets import Config, agent_task
from ..config import TINY
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
        from ..agent.keys import folder_for
        from ..agent.play import play_into
        from ..agent.tasks import tasks_of
        from ..evaluation.scores import endings, fenced, scores
        from ..statistics.metrics import show

        if self.player == "endpoint" and not self.model:
            raise Problem("--player endpoint needs --model NAME: what the server calls its model")
        task, data, split = agent_task(), self.config.data, "benchmark" if self.benchmark else "validation"
        name = self.model or (self.config.model.base if self.player == "base" else self.player)
        tasks, (policy, at_once, settings) = tasks_of(data, task, split), self.policy(task)
        named = self.into / f"{data.protocol}-{split}-{name.replace('/', '-')}"
        folder = folder_for(named, tasks, task, data.protocol, settings)
        episodes = play_into(folder, tasks, task, data.protocol, policy, at_once)
        show(scores(episodes, {}))
        print("\n" + "; ".join(filter(None, [f"failures: {endings(episodes)}", fenced(episodes)])))
        print(f"transcripts: {folder}")

    def policy(self, task: "AgentTask") -> "tuple[Callable[[], Policy], int, dict[str, Any]]":
        """Who plays, how many episodes at once, and what decides how."""
        from ..agent.openai_policy import Endpoint
        from ..agent.rollout import AT_ONCE
        from ..agent.scripted import Oracle, Random

        protocol, seed, tokens = self.config.data.protocol, self.config.seed, self.config.train.tokens
        players: dict[str, Callable[[], Policy]] = {
            "expert": lambda: Oracle(task, protocol),
            "random": lambda: Random(task, protocol, seed),
            "endpoint": lambda: Endpoint(self.endpoint, self.model, tokens=tokens, seed=seed),
        }
        if self.player == "base":
            return self.base(task)
        asked = {"endpoint": self.endpoint, "model": self.model, "tokens": tokens} if self.player == "endpoint" else {}
        return players[self.player], AT_ONCE, {"player": self.player, "seed": seed} | asked

    def base(self, task: "AgentTask") -> "tuple[Callable[[], Policy], int, dict[str, Any]]":
        """The same for the base model; so many of its episodes are played at once as have room."""
        from ..evaluation.policies import policy_of, settings_of
        from ..finetuning.trajectories import load
        from ..memory.fit import at_once
        from ..models.loading import folder_of

        name = self.config.model.base
        folder = folder_of(name, load(self.config.data, task).texts if name in TINY else ())
        at_a_time = at_once(folder, self.config.model, self.config.train)
        policy = policy_of(self.config, folder, None, "transformers")
        return policy, at_a_time, settings_of(self.config, folder)
