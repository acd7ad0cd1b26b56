"""The rows of a table as the arrays that windows are cut from, and how they are laid out."""

import numpy as np
import pandas as pd

from ..core.errors import Problem
from . import calendars
from .calendars import cycles_of, features
from .columns import Columns
from .config import SeriesConfig
from .grid import Grid, season_of, told
from .layout import Layout
from .rows import Rows
from .table import Names, Table
from .values import categories_of, encoded, headings


def layout_of(config: SeriesConfig, columns: Columns, grid: Grid, rows: Rows, fixed: dict[str, np.ndarray]) -> Layout:
    """How a table is laid out that is read for the first time.

    Raises:
        Problem: a target never changes, or a column holds too many texts.
    """
    for name in columns.names.targets:
        target = rows.values[name].to_numpy()
        if np.nanmin(target) == np.nanmax(target):
            raise Problem(f'the target "{name}" is {np.nanmin(target):g} in all rows: there is nothing to forecast')
    texts = {name: rows.values[name] for name in columns.names.known + columns.names.observed} | fixed
    categories = {
        name: categories_of(name, np.asarray(column, object))
        for name, column in texts.items()
        if not pd.api.types.is_numeric_dtype(column)
    }
    integer = rows.stamps.kind == "integer"
    cycles = cycles_of(grid, rows.stamps.wall, integer) if config.calendar else ()
    season, ids = config.season or season_of(grid), tuple(rows.ids[code] for code in np.unique(rows.series))
    stamps = rows.stamps
    return Layout(columns, categories, cycles, grid, season, stamps.kind, stamps.zone, stamps.format, ids)


def table_of(layout: Layout, rows: Rows, kept: np.ndarray, fixed: dict[str, np.ndarray]) -> Table:
    """Rows on a regular grid as arrays; of the series that are `kept`, whose static values are `fixed`."""
    names, texts = layout.columns.names, layout.categories
    columns = {name: rows.values[name].to_numpy() for name in rows.values}
    return Table(
        tuple(rows.ids[code] for code in kept.tolist()),
        np.append(np.searchsorted(rows.series, kept), len(rows.series)).astype(np.int64),
        rows.stamps.time,
        encoded(columns, names.targets, {}, len(rows.series)),
        known_of(layout, columns, rows.stamps.wall),
        encoded(columns, names.observed, texts, len(rows.series)),
        encoded(fixed, names.static, texts, len(kept)),
        headings_of(layout),
        told(layout.grid),
        layout.season,
    )


def known_of(layout: Layout, columns: dict[str, np.ndarray], wall: np.ndarray) -> np.ndarray:
    """(N, P) float32: the columns that are known, and the calendar at (N,) nanoseconds by the clock on the wall."""
    known = encoded(columns, layout.columns.names.known, layout.categories, len(wall))
    return np.concatenate([known, features(layout.cycles, wall)], 1)


def headings_of(layout: Layout) -> Names:
    """What the columns of a table's arrays are called."""
    names, texts = layout.columns.names, layout.categories
    known = (*headings(names.known, texts), *calendars.headings(layout.cycles))
    return Names(names.targets, known, headings(names.observed, texts), headings(names.static, texts))
