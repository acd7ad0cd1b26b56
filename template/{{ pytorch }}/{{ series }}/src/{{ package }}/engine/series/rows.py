"""The rows of all series while they are brought into order: sorted, each time once."""

from typing import NamedTuple, SupportsInt

import numpy as np
import pandas as pd

from ..core.errors import Problem
from .clock import time_of, wall_of
from .grid import DAY, SECOND, Grid, counted, stamps
from .stamps import Stamps


class Rows(NamedTuple):
    """N rows of some series; a series' number is its place in `ids`."""

    ids: tuple[str, ...]
    named: bool
    """Whether the table names the series; else there is one."""
    series: np.ndarray
    """(N,) int64."""
    stamps: Stamps
    values: pd.DataFrame
    """(N, …): numbers as float64, and texts."""

    def take(self, rows: np.ndarray) -> "Rows":
        """Some of the rows, or all in another order; series that have none left keep their number."""
        wall, time = self.stamps.wall[rows], self.stamps.time[rows]
        values = self.values.iloc[rows].reset_index(drop=True)
        return self._replace(series=self.series[rows], stamps=self.stamps._replace(wall=wall, time=time), values=values)

    def at(self, row: SupportsInt) -> str:
        """When and where a row is, in words."""
        series = f' of "{self.ids[self.series[int(row)]]}"' if self.named else ""
        return f"{shown(self.stamps.wall[[int(row)]], self.stamps.kind)[0]}{series}"

    def axis(self, grid: Grid) -> np.ndarray:
        """The stamps as a grid reckons them."""
        return self.stamps.wall if grid.by_wall else self.stamps.time

    def moved(self, grid: Grid, place: np.ndarray, first: np.ndarray) -> "Rows":
        """The same rows at other places of a grid, counted from `first`."""
        at = stamps(grid, place, first)
        if self.stamps.kind == "integer":
            wall = time = at
        elif grid.by_wall:
            wall, time = at, time_of(at, self.stamps.zone)
        else:
            wall, time = wall_of(at, self.stamps.zone), at
        return self._replace(stamps=self.stamps._replace(wall=wall, time=time))


def shown(wall: np.ndarray, kind: str) -> list[str]:
    """Stamps in words, with no more of the day than one of them needs."""
    if kind == "integer":
        return [str(stamp) for stamp in wall.tolist()]
    units = (("D", DAY), ("m", 60 * SECOND), ("s", SECOND), ("ns", 1))
    unit = next(unit for unit, size in units if not (wall % size).any())
    texts = np.datetime_as_string(wall.astype("datetime64[ns]").astype(f"datetime64[{unit}]"))
    return [text.replace("T", " ") for text in texts.tolist()]


def starts(series: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a sorted row is the first of its series."""
    return np.diff(series, prepend=-1) != 0


def first_of(series: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N,): what `values` has at the first of each sorted row's series."""
    begin = np.flatnonzero(starts(series))
    return np.repeat(values[begin], np.diff(begin, append=len(series)))


def in_order(rows: Rows, said: list[str]) -> Rows:
    """Sorted by series and time; rows of one time in the order of the file."""
    order = np.lexsort((rows.stamps.time, rows.series))
    by_series = np.argsort(rows.series, kind="stable")
    series, time = rows.series[by_series], rows.stamps.time[by_series]
    back = int(((np.diff(time) < 0) & (np.diff(series) == 0)).sum())
    if back:
        said.append(f"sorted by time: {counted(back, 'row')} came after a later one")
    return rows.take(order)


def single(rows: Rows, how: str, name: str, said: list[str]) -> Rows:
    """Sorted rows, each time of a series once.

    Raises:
        Problem: a time comes twice, and nothing says what to make of it.
    """
    again = np.flatnonzero((np.diff(rows.stamps.time) == 0) & (np.diff(rows.series) == 0)) + 1
    if not len(again):
        return rows
    if how == "error":
        raise Problem(
            f"{name} has {counted(len(again), 'row')} of a time that the series has already, the first "
            f"{rows.at(again[0])}{twice(rows, len(again))}: --data.duplicates mean or last makes one of them"
        )
    said.append(f"{counted(len(again), 'row')} of a time that the series has already: the {how} is taken")
    return collapsed(rows, how)


def twice(rows: Rows, count: int) -> str:
    """What may have happened, where some times come twice, in words."""
    if not rows.named and count > len(rows.series) // 3:
        return " (name the column that tells series apart by --data.id)"
    if rows.stamps.kind == "naive" and not rows.stamps.zone and (rows.stamps.wall % DAY).any():
        return " (where a clock was set back, name its zone by --data.zone)"
    return ""


def collapsed(rows: Rows, how: str) -> Rows:
    """One row for the sorted rows of each time: the mean of its numbers or the last of them, and the last text."""
    new = starts(rows.series) | (np.diff(rows.stamps.time, prepend=0) != 0)
    groups = rows.values.groupby(np.cumsum(new))
    values = groups.last()
    if how == "mean":
        numbers = list(rows.values.select_dtypes("number").columns)
        values[numbers] = groups[numbers].mean()
    return rows.take(np.flatnonzero(new))._replace(values=values.reset_index(drop=True))
