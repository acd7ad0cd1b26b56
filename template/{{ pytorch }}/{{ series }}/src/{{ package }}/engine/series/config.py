"""The fields that say which table, and what its columns are."""

import zoneinfo
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from ..core.errors import Problem
from .grid import grid_of


def nearest(name: str, names: Collection[str]) -> str:
    """The name among others that one was perhaps meant for, as the end of a sentence; "" where none is near."""
    lower = {other.lower(): other for other in sorted(names)}
    near = get_close_matches(name.lower(), list(lower), 1)
    return f": did you mean {lower[near[0]]}?" if near else ""


@dataclass(frozen=True, kw_only=True)
class SeriesConfig:
    """Which series."""

    path: str | None = None
    """A .csv or .parquet with a row for each time and series; a series made by the project where none is named."""
    time: str | None = None
    """The column of time, dates or integers; found where its name or its content leaves no doubt."""
    id: str | None = None
    """The column that tells the series apart; one series where none is named."""
    targets: tuple[str, ...] = ()
    """The columns to forecast; the only column of numbers where none is named."""
    known: tuple[str, ...] = ()
    """Columns whose future is known, such as a price that was fixed or a holiday."""
    observed: tuple[str, ...] = ()
    """Columns that are known up to now only, such as the weather."""
    static: tuple[str, ...] = ()
    """Columns that do not change within a series, such as a region."""
    calendar: bool = True
    """Add the hour, the day of the week and the day of the year to what is known, where the frequency varies them."""
    freq: str | None = None
    """The time from one row to the next, such as 15 minutes, 1 hour, 1 month or step; inferred where none is named."""
    season: int | None = None
    """Rows of a season; by the frequency where none is named: 24 for an hour, 12 for a month, 1 for a step."""
    zone: str | None = None
    """The zone of the clock, such as Europe/Berlin: of dates that name none, and for the hour and day of others."""
    time_format: str | None = None
    """How the dates are written, such as %d/%m/%Y; or s, ms, us or ns for numbers that count them since 1970."""
    decimal: Literal[".", ","] = "."
    """What numbers have before their decimals."""
    thousands: Literal["", ".", ",", " ", "'"] = ""
    """What numbers have between their thousands."""
    gaps: Literal["error", "fill", "mask"] = "error"
    """What is missing stops the run; or fill: known columns are interpolated, others keep their last value; or mask:
    targets stay missing, and the loss and the measures leave them out."""
    duplicates: Literal["error", "mean", "last"] = "error"
    """Rows of one series and time stop the run, or one row stays: their mean, or the last of them."""
    irregular: Literal["error", "mean", "last"] = "error"
    """Rows off the grid of the frequency stop the run, or those of an interval become one: their mean, or the last."""

    def __post_init__(self) -> None:
        if self.freq is not None:
            grid_of(self.freq)
        if self.season is not None and self.season < 1:
            raise Problem(f"--data.season {self.season} must be at least one row")
        if self.decimal == self.thousands:
            raise Problem(f"--data.thousands {self.thousands} is what --data.decimal is: name another of the two")
        if self.zone is not None and self.zone not in zoneinfo.available_timezones():
            raise Problem(f"--data.zone {self.zone} is no zone{nearest(self.zone, zoneinfo.available_timezones())}")
        single = [name for name in (self.time, self.id) if name is not None]
        roles = Counter([*single, *self.targets, *self.known, *self.observed, *(set(self.static) - {self.id})])
        twice = [name for name, count in roles.items() if count > 1]
        if twice or len(set(self.static)) < len(self.static):
            raise Problem(f"--data names the column {(twice or self.static)[0]} twice: a column has one use")
