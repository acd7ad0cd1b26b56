"""What has to hold before a long training: the data can be learned from, and tasks are won, but not by chance."""

from collections.abc import Iterator
from typing import NamedTuple

from ...config import Config
from ...sft import prepare
from ..agent.rollout import play
from ..agent.scripted import Oracle, Random
from ..core.errors import Problem
from ..evaluation.evaluation import tasks_of, won
from .label_mask import summary

FEW = 24
"""Tasks that are played by the expert and by chance."""
CHANCE = 0.25
"""A larger share of wins by chance would leave nothing to learn."""


class Finding(NamedTuple):
    """One check."""

    name: str
    passed: bool
    what: str


def run(config: Config) -> Iterator[Finding]:
    """Every check, one after the other."""
    yield data(config)
    tasks, protocol = tasks_of(config.data, "validation")[:FEW], config.data.protocol
    expert = won(play(Oracle(protocol), tasks, protocol))
    yield Finding("the expert wins", expert == 1, f"{expert:.0%} of {len(tasks)} tasks")
    chance = won(play(Random(protocol, config.seed), tasks, protocol))
    yield Finding("chance does not", chance <= CHANCE, f"{chance:.0%} of {len(tasks)} tasks")


def data(config: Config) -> Finding:
    """There are trajectories to learn from, a part of each is learned, and none is too long."""
    try:
        examples = [example for split in prepare(config).examples.values() for example in split]
    except Problem as problem:
        return Finding("data", False, str(problem))
    longest = max(len(example.input_ids) for example in examples)
    return Finding("data", True, f"{summary(examples)}; the longest has {longest} of {config.train.length} tokens")
