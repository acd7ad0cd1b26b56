"""The data: series that are made here, cut in time, scaled by their training rows, and looked at in windows."""

import sys
from functools import cache
from typing import NamedTuple

from .config import DataConfig
from .engine.core.config_io import fingerprint
from .engine.core.errors import Problem
from .engine.series import mackey_glass, seasonal
from .engine.series.division import Cuts, compare, cut, left_out, origins, rows_of
from .engine.series.facts import Facts, facts_of
from .engine.series.scaling import Scaler, fit
from .engine.series.table import Table
from .engine.series.windows import Shape, Windows, prepare
from .engine.splits.division import Division
from .engine.splits.leakage import Leakage
from .engine.splits.splits import SPLITS, Entry, Training, lock


class SeriesData(NamedTuple):
    """The data, split."""

    table: Table
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
        Problem: they are not those of `data.lock.json`, too short, or an experiment wants to shuffle them.
    """
    if division is not None:
        raise Problem("series are cut in time, and this experiment deals out examples: it would train on the future")
    table = read(config)
    cuts = cut(table, config.validation, config.test, embargo=config.horizon)
    short = left_out(table, cuts, shape.before, shape.horizon)
    if short:
        some = ", ".join(short[:3]) + (f" and {len(short) - 3} more" if len(short) > 3 else "")
        needed = shape.before + shape.horizon
        print(f"warning: shorter than {needed} training rows, so nothing is learned from: {some}", file=sys.stderr)
    scaler = fitted(table, cuts)
    rows = prepare(table, scaler)
    strides = {"train": 1, "validation": config.stride, "test": config.stride}
    splits = {
        name: Windows(rows, origins(table, cuts.of(name), shape.before, shape.horizon, strides[name]), shape)
        for name in SPLITS
    }
    rule = f"rows that two splits forecast, or that lie less than the horizon of {config.horizon} apart"
    leakage = compare({name: windows.forecast for name, windows in splits.items()}, table, config.horizon, rule)
    content = b"".join(of.tobytes() for of in (table.time, table.targets, table.known, table.observed, table.static))
    sizes = {name: int((cuts.of(name)[:, 1] - cuts.of(name)[:, 0]).sum()) for name in SPLITS}
    source = f"{config.source}, {config.validation:g} and {config.test:g} held out, {config.horizon} apart"
    digest = lock(source, [Entry(config.source, len(content), fingerprint(content), sizes)])
    return SeriesData(table, cuts, splits, facts_of(table, scaler), digest, leakage)


def read(config: DataConfig) -> Table:
    """The series as they are."""
    return mackey_glass.table() if config.source == "mackey-glass" else seasonal.table()


def fitted(table: Table, cuts: Cuts) -> Scaler:
    """What is fitted to the series, by their training rows."""
    return fit(Training({name: rows_of(table, cuts.of(name)) for name in SPLITS}))
