"""The clock on the wall of a zone, and the times in UTC that it shows: once, twice, or never where it is set."""

import numpy as np
import pandas as pd

from ..core.errors import Problem
from .grid import DAY, counted


def wall_of(time: np.ndarray, zone: str) -> np.ndarray:
    """What the clock of a zone shows, in nanoseconds, at times in UTC; the same in no zone."""
    if not zone:
        return time
    return at(pd.DatetimeIndex(time.astype("datetime64[ns]"), tz="UTC").tz_convert(zone).tz_localize(None))


def time_of(wall: np.ndarray, zone: str) -> np.ndarray:
    """When the clock of a zone shows this, in UTC: the first time of two; where it never does, when it is set."""
    if not zone:
        return wall
    local = pd.DatetimeIndex(wall.astype("datetime64[ns]"))
    summer = np.ones(len(wall), bool)
    return at(
        local.tz_localize(zone, ambiguous=summer, nonexistent="shift_forward").tz_convert("UTC").tz_localize(None)
    )


def resolved(wall: np.ndarray, series: np.ndarray, zone: str) -> np.ndarray:
    """The same of rows in the order of their file: an hour that the clock shows twice, each row of a series twice.

    Days without an hour begin when they begin. `series` is the number of each row's series.

    Raises:
        Problem: a row lies in an hour that the clock leaves out, or in one of two and nothing tells which.
    """
    time = time_of(wall, zone)
    if not (wall % DAY).any():
        return time
    local = pd.DatetimeIndex(wall.astype("datetime64[ns]"))
    never = np.flatnonzero(local.tz_localize(zone, ambiguous=np.ones(len(wall), bool), nonexistent="NaT").isna())
    if len(never):
        raise Problem(
            f"{local[never[0]]} does not exist in {zone}, where the clock is set forward, in "
            f"{counted(len(never), 'row')}: leave --data.zone out, or name the zone that was meant"
        )
    twice = np.flatnonzero(local.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna())
    if not len(twice):
        return time
    rows = pd.DataFrame({"series": series[twice], "wall": wall[twice]})
    groups = rows.groupby(["series", "wall"])
    sizes = groups["wall"].transform("size").to_numpy()
    strange = np.flatnonzero(sizes != 2)
    if len(strange):
        row = twice[strange[0]]
        raise Problem(
            f"the clock of {zone} shows {local[row]} twice, and a series has it in "
            f"{counted(int(sizes[strange[0]]), 'row')}: write the offset from UTC behind such times"
        )
    later = (groups.cumcount() == 1).to_numpy() != newest_first(wall, series)[series[twice]]
    winter = local[twice].tz_localize(zone, ambiguous=np.zeros(len(twice), bool)).tz_convert("UTC").tz_localize(None)
    time[twice] = np.where(later, at(winter), time[twice])
    return time


def newest_first(wall: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Whether each series goes backwards in its file."""
    order = np.argsort(series, kind="stable")
    change = np.sign(np.diff(wall[order])) * (np.diff(series[order]) == 0)
    return np.bincount(series[order][1:], change, int(series.max()) + 1) < 0


def at(stamps: pd.DatetimeIndex) -> np.ndarray:
    """Stamps without a zone as nanoseconds, whatever they are kept in."""
    return stamps.as_unit("ns").to_numpy().astype(np.int64)
