"""The rows that follow a table: their times, and what is known of them beforehand."""

from functools import partial
from pathlib import Path
from typing import SupportsInt

import numpy as np
import pandas as pd

from ..core.errors import Problem
from .arrays import known_of
from .clock import time_of, wall_of
from .columns import Columns, kept_as_text, refuse_missing
from .config import SeriesConfig
from .files import frame_of
from .grid import Grid, places, stamps
from .layout import Layout
from .reading import cells, series_of, stamps_like
from .table import Names, Table


def future_times(table: Table, grid: Grid, zone: str, horizon: int) -> np.ndarray:
    """(S, H) int64: the times of the next rows of each series, as `Table.time` has them; "" is no zone."""
    axis = wall_of(table.time, zone) if grid.by_wall else table.time
    first, last = axis[table.offsets[:-1], None], axis[table.offsets[1:] - 1, None]
    place = places(grid, last, first)[0] + np.arange(1, horizon + 1)
    at = stamps(grid, place, np.broadcast_to(first, place.shape))
    return time_of(at.ravel(), zone).reshape(at.shape) if grid.by_wall else at


def template(table: Table, layout: Layout, horizon: int) -> pd.DataFrame:
    """The next rows of each series: their names and times, and the columns that are known, to be filled in."""
    columns: dict[str, object] = {}
    if layout.columns.id is not None:
        columns[layout.columns.id] = np.repeat(np.array(table.ids, object), horizon)
    columns[layout.columns.time] = layout.shown(future_times(table, layout.grid, layout.zone, horizon).ravel())
    return pd.DataFrame(columns | dict.fromkeys(layout.columns.names.known, ""))


def read_future(
    config: SeriesConfig, source: str | Path | pd.DataFrame | None, table: Table, layout: Layout, horizon: int
) -> np.ndarray:
    """(S, H, P) float32: what is known of the next rows, found by series and time among those of a source.

    Where the calendar is all that is known, no source is needed. Rows of other times and series are passed over:
    the table itself may go on.

    Raises:
        Problem: the source lacks rows or values, or cannot be read.
    """
    times = future_times(table, layout.grid, layout.zone, horizon)
    wall, names = layout.wall(times.ravel()), layout.columns.names.known
    columns = following(config, source, table, layout, times) if names else {}
    return known_of(layout, columns, wall).reshape(*times.shape, -1)


def extended(
    config: SeriesConfig, source: str | Path | pd.DataFrame | None, table: Table, layout: Layout, horizon: int
) -> Table:
    """A table with the next rows of each series behind its own: what is known of them, and nothing else.

    Raises:
        Problem: as `read_future`.
    """
    times = future_times(table, layout.grid, layout.zone, horizon)
    known = read_future(config, source, table, layout, horizon)
    ends = np.repeat(table.offsets[1:], horizon)

    def missing(columns: np.ndarray) -> np.ndarray:
        return np.insert(columns, ends, np.float32(np.nan), axis=0)

    return table._replace(
        offsets=table.offsets + horizon * np.arange(len(table.offsets)),
        time=np.insert(table.time, ends, times.ravel()),
        targets=missing(table.targets),
        known=np.insert(table.known, ends, known.reshape(len(ends), -1), axis=0),
        observed=missing(table.observed),
    )


def following(
    config: SeriesConfig, source: str | Path | pd.DataFrame | None, table: Table, layout: Layout, times: np.ndarray
) -> dict[str, np.ndarray]:
    """The known columns, each (S H,), at (S, H) times that follow a table.

    Raises:
        Problem: as `read_future`.
    """
    names, end = layout.columns.names.known, layout.shown(times.max(keepdims=True).ravel())[0]
    needed = f"a forecast needs {', '.join(names)} of {times.shape[1]:,} rows after the last of each series, to {end}"
    if source is None:
        raise Problem(f"{needed}: name a table that has them")
    frame = frame_of(source, partial(kept_as_text, config))
    refuse_missing(frame, Columns(layout.columns.time, layout.columns.id, Names((), names, (), ())))
    ids, codes = series_of(frame, layout.columns.id)
    found = stamps_like(frame, layout.columns.time, codes, config, layout).time
    keys = pd.MultiIndex.from_arrays([np.array(ids, object)[codes], found])
    wanted = pd.MultiIndex.from_arrays([np.repeat(np.array(table.ids, object), times.shape[1]), times.ravel()])
    there = np.flatnonzero(keys.isin(wanted))
    twice = np.flatnonzero(keys[there].duplicated())
    if len(twice):
        raise Problem(f"{frame.name} has two rows {at(layout, keys[there[twice[0]]])}: leave one out")
    place = keys[there].get_indexer(wanted)
    if (place < 0).any():
        raise Problem(f"{frame.name} lacks the row {at(layout, wanted[np.flatnonzero(place < 0)[0]])}: {needed}")
    columns = {name: column[there[place]] for name, column in cells(frame, names, config, layout).items()}
    for name, column in columns.items():
        empty = np.flatnonzero(pd.isna(column) | ((column == "") & ("" not in layout.categories.get(name, ()))))
        if len(empty):
            raise Problem(f'{frame.name} has no "{name}" {at(layout, wanted[empty[0]])}: {needed}')
    return columns


def at(layout: Layout, key: tuple[str, SupportsInt]) -> str:
    """A series and a time in words."""
    name, time = key
    series = f' of "{name}"' if layout.columns.id is not None else ""
    return f"at {layout.shown(np.array([int(time)]))[0]}{series}"
