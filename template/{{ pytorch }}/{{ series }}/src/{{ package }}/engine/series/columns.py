"""What each column of a table is."""

from typing import NamedTuple

import pandas as pd

from ..core.errors import Problem
from .config import SeriesConfig, nearest
from .files import Frame
from .table import Names

TIMES = ("time", "timestamp", "datetime", "date", "ds", "stamp")
"""What people call the column of time."""
PARTS = ("day", "week", "month", "quarter", "year")
"""What they call a part of it, which is all where it is alone."""
TARGETS = ("target", "y", "value")
SEEN = 50
"""Values that are looked at to tell whether a column has dates."""


class Columns(NamedTuple):
    """The columns of a source by their use."""

    time: str
    id: str | None
    names: Names

    def used(self) -> set[str | None]:
        """All of them."""
        return {self.time, self.id, *(name for group in self.names for name in group)}


def kept_as_text(config: SeriesConfig, name: str) -> bool:
    """Whether a column of a .csv is not taken for numbers while it is read."""
    named = {config.time, config.id}
    return name in named or name.lower() in (*TIMES, *PARTS) or config.decimal == "," or config.thousands != ""


def columns_of(frame: Frame, config: SeriesConfig) -> Columns:
    """The columns that the configuration names, and those that need no name.

    Raises:
        Problem: one is missing, or must be named.
    """
    names = Names(config.targets, config.known, config.observed, config.static)
    refuse_missing(frame, Columns(config.time or frame.columns.columns[0], config.id, names))
    taken = {config.id, *(name for group in names for name in group)}
    time = config.time or time_of(frame, [name for name in frame.columns if name not in taken])
    rest = [name for name in frame.columns if name not in {*taken, time}]
    return Columns(time, config.id, names._replace(targets=config.targets or target_of(frame, rest)))


def refuse_missing(frame: Frame, columns: Columns) -> None:
    """Refuse a table that lacks a column.

    Raises:
        Problem: it does.
    """
    for option, names in zip(
        ("time", "id", *Names._fields), ((columns.time,), (columns.id,), *columns.names), strict=True
    ):
        for name in names:
            if name is not None and name not in frame.columns:
                near = nearest(name, frame.columns) or f": it has {', '.join(frame.columns)}"
                raise Problem(f'--data.{option}: {frame.name} has no column "{name}"{near}')


def time_of(frame: Frame, names: list[str]) -> str:
    """The column of time, by its name, or else by its content.

    Raises:
        Problem: none is, or several are.
    """
    for found in (
        [name for name in names if name.lower() in TIMES],
        [name for name in names if name.lower() in PARTS],
        [name for name in names if has_dates(frame.columns[name])],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise Problem(
                f"{frame.name} has {' and '.join(found)}: name the column of time by --data.time, and write all of it "
                "into that one"
            )
    raise Problem(f"--data.time: no column of {frame.name} is clearly its time: it has {', '.join(frame.columns)}")


def has_dates(column: pd.Series) -> bool:
    """Whether a column holds dates, or texts that begin as ISO 8601 writes them."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column):
        return False
    return bool(column.head(SEEN).astype(str).str.match(r"\s*\d{4}-\d\d").all())


def target_of(frame: Frame, names: list[str]) -> tuple[str]:
    """The only column of numbers, or the one that is called so.

    Raises:
        Problem: there is none, or there are several.
    """
    numbers = [name for name in names if pd.api.types.is_numeric_dtype(frame.columns[name])] or names
    called = [name for name in numbers if name.lower() in TARGETS] if len(numbers) > 1 else numbers
    if len(called) != 1:
        raise Problem(f"--data.targets names what to forecast: {frame.name} has {', '.join(names) or 'nothing else'}")
    return (called[0],)
