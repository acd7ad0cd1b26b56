"""What has to hold before a long training: tasks can be won, not by chance, and the right text is learned."""

from collections.abc import Iterator
from typing import NamedTuple

from .agent import play
from .chat import IGNORED
from .config import Config
from .errors import Problem
from .evaluation import tasks_of, won
from .scripted import Oracle, Random
from .training import Prepared, prepare

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
    try:
        prepared = prepare(config)
    except Problem as problem:
        yield Finding("data", False, str(problem))
        return
    yield lengths(prepared, config.train.length)
    yield supervision(prepared)
    tasks, protocol = tasks_of(config.data, "validation")[:FEW], config.data.protocol
    expert = won(play(Oracle(protocol), tasks, protocol))
    yield Finding("the expert wins", expert == 1, f"{expert:.0%} of {len(tasks)} tasks")
    chance = won(play(Random(protocol, config.seed), tasks, protocol))
    yield Finding("chance does not", chance <= CHANCE, f"{chance:.0%} of {len(tasks)} tasks")


def lengths(prepared: Prepared, limit: int) -> Finding:
    """Nothing is longer than what the model is trained on."""
    longest = max(len(example.input_ids) for split in prepared.examples.values() for example in split)
    return Finding("lengths", longest <= limit, f"the longest of the trajectories has {longest} of {limit} tokens")


def supervision(prepared: Prepared) -> Finding:
    """A part of the tokens is learned: what the expert wrote."""
    labels = [label for example in prepared.examples["train"] for label in example.labels]
    share = sum(label != IGNORED for label in labels) / len(labels)
    return Finding("supervision", 0 < share < 1, f"{share:.1%} of the tokens are learned: the expert's own")
