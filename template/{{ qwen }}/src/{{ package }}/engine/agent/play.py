"""Tasks played by somebody who was not trained here, to compare with."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..evaluation.evaluation import kept, places, policy_of, tasks_of
from ..evaluation.scores import scores
from ..statistics.metrics import Result
from .openai_policy import Endpoint
from .rollout import Policy
from .scripted import Oracle, Random

if TYPE_CHECKING:
    from ..cli.commands import Play


def play(asked: "Play") -> tuple[dict[str, Result], Path]:
    """Success with its intervals, and the folder of the transcripts. Episodes that lie there are not played again."""
    config, split = asked.config, "benchmark" if asked.benchmark else "validation"
    tasks = tasks_of(config.data, split)
    name = asked.model or (config.model.base if asked.player == "base" else asked.player)
    folder = asked.into / f"{config.data.protocol}-{split}-{name.replace('/', '-')}"
    episodes = kept(folder, tasks, lambda: player(asked), config.data.protocol, places(config))
    return scores(episodes, {}), folder


def player(asked: "Play") -> Policy:
    """Who plays."""
    config = asked.config
    if asked.player == "endpoint":
        return Endpoint(asked.endpoint, asked.model, tokens=config.train.tokens, seed=config.seed)
    if asked.player == "expert":
        return Oracle(config.data.protocol)
    if asked.player == "random":
        return Random(config.data.protocol, config.seed)
    return policy_of(config, None, "transformers")()
