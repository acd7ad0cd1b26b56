"""Folds: other divisions of what is not sealed into training and validation."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from .settings import fingerprint

_chosen: ContextVar["Fold | None"] = ContextVar("_chosen", default=None)


@dataclass(frozen=True)
class Fold:
    """One part of several, which is held out while the others train.

    The part of a group is a function of the group and of the repeat alone, as its split is: a group stays whole, and
    the parts are about equal. What belongs to the test split stays there, sealed.
    """

    number: int
    """From 1 on."""
    of: int
    repeat: int
    """Each repeat divides the groups anew; from 1 on."""
    placed: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    """How often it was asked for each split, which says whether the data are divided by it."""

    def __str__(self) -> str:
        return f"fold {self.number} of {self.of}, repeat {self.repeat}"

    def place(self, group: str, split: str) -> str:
        """The split of a group in this fold, which without folds lies in `split`."""
        if split != "test":
            part = int(fingerprint(f"{group} {self.repeat}"), 16) % self.of + 1
            split = "validation" if part == self.number else "train"
        self.placed[split] += 1
        return split


def chosen_fold() -> Fold | None:
    """The fold that data are to be divided by; None for the project's own splits."""
    return _chosen.get()


@contextmanager
def choosing(fold: Fold) -> Iterator[None]:
    """Divide data by this fold for a while."""
    token = _chosen.set(fold)
    try:
        yield
    finally:
        _chosen.reset(token)
