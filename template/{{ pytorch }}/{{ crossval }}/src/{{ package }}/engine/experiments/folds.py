"""Folds: other divisions of what is not sealed into training and validation."""

from dataclasses import dataclass
from typing import ClassVar

from ..splits.division import Division


@dataclass(frozen=True)
class Fold(Division):
    """One part of several, which is held out while the others train; the parts are about equal."""

    moves: ClassVar[tuple[str, ...]] = ("train", "validation")
    number: int
    """From 1 on."""
    of: int
    repeat: int
    """Each repeat divides the groups anew; from 1 on."""

    def __str__(self) -> str:
        return f"fold {self.number} of {self.of}, repeat {self.repeat}"

    @property
    def salt(self) -> int:
        return self.repeat

    def at(self, position: float) -> str:
        return "validation" if int(position * self.of) + 1 == self.number else "train"
