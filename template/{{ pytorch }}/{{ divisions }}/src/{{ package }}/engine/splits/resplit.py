"""Other divisions of the data than the project's own, for as long as an experiment trains on them."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import _lru_cache_wrapper
from typing import ClassVar

from ..core.config_io import fingerprint

LEFT_OUT = "left out"
"""Where a group lies that is in no split."""


@dataclass(frozen=True)
class Division(ABC):
    """Where groups lie for a while; its text tells it from every other.

    A group stays whole: its place is a function of the division, the group, and where it lies otherwise. What belongs
    to the test split stays there, sealed.
    """

    moves: ClassVar[tuple[str, ...]]
    """The splits whose groups it places anew."""
    placed: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)
    """How often it was asked for each split, which says whether the data are divided by it."""

    @property
    @abstractmethod
    def salt(self) -> int:
        """Divisions that have another shuffle the groups otherwise."""

    @abstractmethod
    def at(self, position: float) -> str:
        """The split at a position among the shuffled groups, from 0 to 1."""

    def hash(self, group: str) -> str:
        """What the groups are shuffled by."""
        return fingerprint(f"{group} {self.salt}")

    def place(self, group: str, split: str) -> str:
        """The split of a group that otherwise lies in `split`; its position is its hash."""
        if split in self.moves:
            split = self.at(int(self.hash(group), 16) / 16**64)
        self.placed[split] += 1
        return split

    def deal(self, groups: Sequence[str], splits: Sequence[str], strata: Sequence[int]) -> list[str]:
        """The same for every example of data that are split by stratum, such as a class.

        A group's position is the rank of its hash within its stratum, so each stratum has its share of every part. A
        group's stratum is that of its first example.
        """
        placed: dict[str, str] = {}
        ranked: dict[int, list[str]] = defaultdict(list)
        for group, split, stratum in zip(groups, splits, strata, strict=True):
            if group not in placed and split in self.moves:
                ranked[stratum].append(group)
            placed.setdefault(group, split)
        for some in ranked.values():
            for rank, group in enumerate(sorted(some, key=self.hash)):
                placed[group] = self.at((rank + 0.5) / len(some))
        self.placed.update(placed.values())
        return [placed[group] for group in groups]


_chosen: ContextVar[Division | None] = ContextVar("_chosen", default=None)


def chosen() -> Division | None:
    """The division that data are to be divided by; None for the project's own."""
    return _chosen.get()


@contextmanager
def choosing(division: Division) -> Iterator[None]:
    """Divide data by this for a while."""
    forget()
    token = _chosen.set(division)
    try:
        yield
    finally:
        _chosen.reset(token)
        forget()


def forget() -> None:
    """Empty the caches of data.py, which hold the data as they were divided before."""
    from ... import data  # not above: it asks splits.py, which asks this module

    for value in vars(data).values():
        if isinstance(value, _lru_cache_wrapper):
            value.cache_clear()
