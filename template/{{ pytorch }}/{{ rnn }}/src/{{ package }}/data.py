"""The data: your table, or series that are made here, cut in time, scaled by their training rows, seen in windows."""

import sys
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .config import DataConfig
from .engine.core.errors import Problem
from .engine.series import mackey_glass, seasonal
from .engine.series.division import Cuts, compare, cut, left_out, origins, rows_of
from .engine.series.facts import Facts, facts_of
from .engine.series.parts import entries
from .engine.series.scaling import Scaler, fit
from .engine.series.table import Shape, Table
from .engine.series.windows import Windows, prepare
from .engine.splits.division import Division
from .engine.splits.leakage import Leakage
from .engine.splits.splits import SPLITS, Training, lock

if TYPE_CHECKING:
    from .engine.series.layout import Layout


NAMED = 3
"""Series that are named where there may be many."""


class SeriesData(NamedTuple):
    """The data, split."""

    table: Table
    layout: "Layout | None"
    """How a table of your own is laid out."""
    cuts: Cuts
    splits: dict[str, Windows]
    facts: Facts
    sha256: str
    leakage: Leakage
    """What the splits share: nothing, unless the cuts are changed."""


@cache
def load(config: DataConfig, shape: Shape, division: Division | None = None) -> SeriesData:
    """The series.

    Raises:
        Problem: they cannot be read, are not those of `data.lock.json`, are too short, or an experiment wants to
            shuffle them.
    """
    if division is not None:
        raise Problem("series are cut in time, and this experiment deals out examples: it would train on the future")
    table, layout, source = read(config)
    cuts = cut(table, config.validation, config.test, embargo=config.horizon)
    short = left_out(table, cuts, shape.before, shape.horizon)
    if short:
        named = ", ".join(short[:NAMED]) + (f" and {len(short) - NAMED} more" if len(short) > NAMED else "")
        needed = f"the {shape.before + shape.horizon} rows of context and horizon together"
        print(
            f"{len(short)} of {len(table.ids)} series are not trained on, for want of {needed}: {named}",
            file=sys.stderr,
        )
    scaler = fitted(table, cuts)
    rows = prepare(table, scaler)
    strides = {"train": 1, "validation": config.stride, "test": config.stride}
    splits = {
        name: Windows(rows, origins(table, cuts.of(name), shape.before, shape.horizon, strides[name]), shape)
        for name in SPLITS
    }
    rule = f"rows that two splits forecast, or that lie less than the horizon of {config.horizon} apart"
    leakage = compare({name: windows.forecast for name, windows in splits.items()}, table, config.horizon, rule)
    held_out = f"{config.validation:g} and {config.test:g} held out, {config.horizon} apart"
    digest = lock(f"{source}, {held_out}", entries(table, sides(table, cuts)))
    return SeriesData(table, layout, cuts, splits, facts_of(table, scaler), digest, leakage)


def read(config: DataConfig) -> tuple[Table, "Layout | None", str]:
    """The series as they are, how their table is laid out, and what tells them from others.

    Raises:
        Problem: they cannot be read, or something in them must be decided first.
    """
    if config.path is None:
        return (mackey_glass.table() if config.source == "mackey-glass" else seasonal.table()), None, config.source
    from .engine.series import reading

    found = reading.read(config)
    reading.describe(found)
    return found.table, found.layout, found.source


def sides(table: Table, cuts: Cuts) -> np.ndarray:
    """The split that forecasts each row, (N,); "" where none does."""
    found = np.full(len(table.time), "", object)
    for name in SPLITS:
        for start, stop in cuts.of(name).tolist():
            found[start:stop] = name
    return found


def fitted(table: Table, cuts: Cuts) -> Scaler:
    """What is fitted to the series, by their training rows."""
    return fit(Training({name: rows_of(table, cuts.of(name)) for name in SPLITS}))
