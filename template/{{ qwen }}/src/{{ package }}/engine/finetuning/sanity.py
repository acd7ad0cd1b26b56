"""What has to hold before a long training: the data can be learned from, and tasks are won, but not by chance."""

from collections.abc import Iterator
from typing import NamedTuple

from ..agent.rollout import play, won
from ..agent.scripted import Oracle, Random
from ..agent.tasks import tasks_of
from ..config import RunConfig
from ..core.errors import Problem
from ..task import AgentTask
from .label_mask import summary
from .preparation import prepare

FEW = 24
"""Tasks that are played by the expert and by chance."""
CHANCE = 0.25
"""A larger share of wins by chance would leave nothing to learn."""


class Finding(NamedTuple):
    """One check."""

    name: str
    passed: bool
    what: str


def run(config: RunConfig, agent_task: AgentTask) -> Iterator[Finding]:
    """Every check, one after the other."""
    yield data(config, agent_task)
    tasks, protocol = tasks_of(config.data, agent_task, "validation")[:FEW], config.data.protocol
    expert = won(play(Oracle(agent_task, protocol), tasks, agent_task, protocol))
    yield Finding("the expert wins", expert == 1, f"{expert:.0%} of {len(tasks)} tasks")
    chance = won(play(Random(agent_task, protocol, config.seed), tasks, agent_task, protocol))
    yield Finding("chance does not", chance <= CHANCE, f"{chance:.0%} of {len(tasks)} tasks")


def data(config: RunConfig, agent_task: AgentTask) -> Finding:
    """There are trajectories to learn from, a part of each is learned, and none is too long."""
    try:
        prepared = prepare(config, agent_task)
    except Problem as problem:
        return Finding("data", False, str(problem))
    examples = [example for split in prepared.examples.values() for example in split]
    longest = max(len(example.input_ids) for example in examples)
    return Finding("data", True, f"{summary(examples)}; the longest has {longest} of {config.train.length} tokens")
