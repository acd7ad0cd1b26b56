"""Which split a group of examples lies in, and other divisions than that, which experiments train on.

An example's split is a function of its group's hash, so it does not move when other data come or go, and everything in
a group lies on the same side.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..core.config_io import fingerprint

LEFT_OUT = "left out"
"""Where a group lies that is in no split."""


@dataclass(frozen=True)
class Division(ABC):
    """Where an experiment has groups lie; its text tells it from every other.

    A group stays whole: its place is a function of the division, the group, and where it lies otherwise. What belongs
    to the test split stays there, sealed.
    """

    moves: ClassVar[tuple[str, ...]]
    """The splits whose groups it places anew."""

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
        return self.at(int(self.hash(group), 16) / 16**64) if split in self.moves else split

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
        return [placed[group] for group in groups]


def split_of(group: str, division: Division | None = None) -> str:
    """The split of a group: about 80 % train, 10 % validation, 10 % test, unless an experiment divides otherwise.

    `group` is a hexadecimal SHA-256 of what its members share.
    """
    tenth = int(group, 16) % 10
    split = "validation" if tenth == 8 else "test" if tenth == 9 else "train"
    return division.place(group, split) if division else split
