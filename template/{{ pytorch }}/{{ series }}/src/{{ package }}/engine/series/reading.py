"""A person's own table, from its source to series on a regular grid."""

import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..core.errors import Problem
from .arrays import layout_of, table_of
from .columns import Columns, columns_of, has_dates, kept_as_text, refuse_missing
from .config import SeriesConfig
from .descriptions import described, still, unfamiliar
from .files import Frame, frame_of
from .frequency import inferred, named, refuse_changes, regular
from .gaps import complete, filled, trimmed
from .grid import Grid
from .layout import Layout
from .rows import Rows, in_order, single
from .stamps import Stamps, stamps_of
from .table import Table
from .values import is_category, numbers, texts

ONLY = "series"
"""What the series of a table without a column of names is called."""


class Reading(NamedTuple):
    """A table and what was found in it."""

    source: str
    """What tells the table from others."""
    table: Table
    layout: Layout
    said: list[str]
    """Lines for whoever reads it: what was taken, what was changed, what is strange."""


def read(
    config: SeriesConfig, source: str | Path | pd.DataFrame | None = None, layout: Layout | None = None
) -> Reading:
    """The series at `config.path`, or of another source; as `layout` says another was read, if any.

    Raises:
        Problem: the table cannot be read, or something in it must be decided first.
    """
    source = config.path if source is None else source
    assert source is not None
    frame = frame_of(source, partial(kept_as_text, config))
    columns = layout.columns if layout else columns_of(frame, config)
    refuse_missing(frame, columns)
    said: list[str] = []
    ids, codes = series_of(frame, columns.id)
    stamps = stamps_like(frame, columns.time, codes, config, layout)
    if stamps.format and not layout and config.time_format is None:
        said.append(f'"{columns.time}" is read as {stamps.format}')
    varying = {name: numbers(frame, name, config) for name in columns.names.targets}
    varying |= cells(frame, columns.names.known + columns.names.observed, config, layout)
    fixed = static_of(frame, columns.names.static, ids, codes, config, layout)
    rows = Rows(ids, columns.id is not None, codes, stamps, pd.DataFrame(varying))
    rows, grid, share = arranged(rows, columns, config, layout, frame.name, said)
    kept = np.unique(rows.series)
    fixed = {name: column[kept] for name, column in fixed.items()}
    of_training = layout is None
    layout = layout or layout_of(config, columns, grid, rows, fixed)
    table = table_of(layout, rows, kept, fixed)
    left = [name for name in frame.columns if name not in columns.used()]
    said = [described(frame.name, table, layout, share, left), *said]
    said += still(table) if of_training else unfamiliar(table, layout, rows, fixed)
    return Reading(frame.name, table, layout, said)


def describe(reading: Reading) -> None:
    """Print what was read."""
    for line in reading.said:
        print(line, file=sys.stderr)


def arranged(
    rows: Rows, columns: Columns, config: SeriesConfig, layout: Layout | None, name: str, said: list[str]
) -> tuple[Rows, Grid, float]:
    """The rows on a regular grid, the grid, and the share of the differences that was right before.

    Raises:
        Problem: they do not lie on one, or something is missing, and the configuration does not say what to make of it.
    """
    rows = single(in_order(rows, said), config.duplicates, name, said)
    rows = trimmed(rows, columns.names.targets, said)
    grid = layout.grid if layout else named(rows, config.freq) if config.freq else inferred(rows)
    if config.irregular == "error":
        refuse_changes(rows, grid, config.gaps == "mask", name)
    rows, grid, place = regular(rows, grid, config.irregular, name, said)
    steps = np.diff(place)[np.diff(rows.series) == 0]
    share = float((steps == 1).mean()) if len(steps) else 1.0
    rows = complete(rows, grid, place, config.gaps, name, said)
    return filled(rows, columns, config.gaps, name, said), grid, share


def stamps_like(frame: Frame, name: str, codes: np.ndarray, config: SeriesConfig, layout: Layout | None) -> Stamps:
    """The column of time, read as in training.

    Raises:
        Problem: it cannot be.
    """
    column = frame.columns[name]
    if layout is None:
        return stamps_of(column, codes, config.zone, config.time_format, frame.first_row)
    form = None if has_dates(column) else layout.format or None  # a forecast is written as ISO 8601, whatever was read
    stamps = stamps_of(column, codes, layout.zone or None, form, frame.first_row)
    if stamps.kind != layout.kind and ("integer" in (stamps.kind, layout.kind) or not layout.zone):
        raise Problem(
            f'"{name}" of {frame.name} has {stamps.kind} times, and training had {layout.kind} ones: write these'
        )
    return stamps


def series_of(frame: Frame, column: str | None) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the series, sorted, and the number of each row's.

    Raises:
        Problem: a row names none.
    """
    if column is None:
        return (ONLY,), np.zeros(len(frame.columns), np.int64)
    missing = np.flatnonzero(frame.columns[column].isna())
    if len(missing):
        raise Problem(f'{len(missing):,} rows have no "{column}", the first is row {frame.first_row + missing[0]}')
    codes, ids = pd.factorize(frame.columns[column].astype(str).str.strip(), sort=True)
    return tuple(ids), codes.astype(np.int64)


def cells(
    frame: Frame, names: tuple[str, ...], config: SeriesConfig, layout: Layout | None = None
) -> dict[str, np.ndarray]:
    """Columns of numbers as (N,) float64, and those of categories as (N,) texts: the same ones as in training.

    Raises:
        Problem: a cell cannot be read.
    """
    return {
        name: texts(frame, name)
        if (name in layout.categories if layout else is_category(frame.columns[name]))
        else numbers(frame, name, config)
        for name in names
    }


def static_of(
    frame: Frame,
    names: tuple[str, ...],
    ids: tuple[str, ...],
    codes: np.ndarray,
    config: SeriesConfig,
    layout: Layout | None,
) -> dict[str, np.ndarray]:
    """What does not change within a series, (S,) each.

    Raises:
        Problem: it does, or a number is missing.
    """
    found = {}
    for name, column in cells(frame, names, config, layout).items():
        groups = pd.Series(column).replace("", np.nan).groupby(codes)
        changing = np.flatnonzero(groups.nunique() > 1)
        if len(changing):
            raise Problem(f'--data.static: "{name}" changes within "{ids[changing[0]]}": make it known or observed')
        of = groups.first()
        if column.dtype != object and of.isna().any():
            raise Problem(f'--data.static: "{name}" is missing in "{ids[np.flatnonzero(of.isna())[0]]}": write it')
        found[name] = of.to_numpy(np.float64) if column.dtype != object else of.fillna("").to_numpy(object)
    return found
