"""Train, validation and test of series: strictly one after the other in time, with a gap between them.

    rows of a series   | train                | gap | validation       | gap | test             |
                                              t1                       t2

All series are cut at the same two times, so that no series tells what another will be asked. The first rows behind a
cut, as many as a forecast is long (the embargo), belong to no split: what is forecast last in one split lies that far
before what is forecast first in the next. The context of a forecast may reach back over a cut, as it will when the
model is used.
"""

from typing import NamedTuple

import numpy as np

from ..core.errors import Problem
from ..splits.leakage import Leakage
from ..splits.splits import SPLITS
from .table import Table


class Cuts(NamedTuple):
    """The rows of each series that each split forecasts, (S, 2) int64: the first, and the one behind the last."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def of(self, split: str) -> np.ndarray:
        """Those of a split by its name."""
        rows: np.ndarray = getattr(self, split)
        return rows


def cut(table: Table, validation: float, test: float, embargo: int) -> Cuts:
    """Cut at the times that leave these shares of all rows to validation and test; `embargo` is in rows."""
    first, second = (np.quantile(table.time, share, method="higher") for share in (1 - validation - test, 1 - test))
    edges = []
    for start, stop in spans(table):
        one, two = (start + int(np.searchsorted(table.time[start:stop], at)) for at in (first, second))
        edges.append(((start, one), (min(one + embargo, two), two), (min(two + embargo, stop), stop)))
    train, of_validation, of_test = (np.array(rows) for rows in zip(*edges, strict=True))
    return Cuts(train, of_validation, of_test)


def spans(table: Table) -> list[tuple[int, int]]:
    """The first row of each series, and the one behind its last."""
    return list(zip(table.offsets[:-1].tolist(), table.offsets[1:].tolist(), strict=True))


def rows_of(table: Table, ranges: np.ndarray) -> Table:
    """The table with these rows alone, (S, 2) as in `Cuts`; every series stays, and may be empty."""
    kept = np.concatenate([np.arange(start, stop) for start, stop in ranges.tolist()])
    sizes = ranges[:, 1] - ranges[:, 0]
    return table._replace(
        offsets=np.concatenate(([0], sizes.cumsum())),
        time=table.time[kept],
        targets=table.targets[kept],
        known=table.known[kept],
        observed=table.observed[kept],
    )


def origins(table: Table, rows: np.ndarray, before: int, horizon: int, stride: int = 1) -> np.ndarray:
    """The last rows that forecasts of a split know, (n,), in order of time, and at one time of the series.

    A forecast looks at `before` rows of its series, and its `horizon` rows lie within `rows`, (S, 2). Two that follow
    each other are `stride` rows apart.
    """
    found = []
    for (start, _), (first, behind) in zip(spans(table), rows.tolist(), strict=True):
        found.append(np.arange(max(first, start + before) - 1, behind - horizon, stride))
    origin = np.concatenate(found)
    return origin[np.argsort(table.time[origin], kind="stable")]


def left_out(table: Table, cuts: Cuts, before: int, horizon: int) -> list[str]:
    """The series that have no whole window to train on.

    Raises:
        Problem: no series has one, or a split has nothing to forecast.
    """
    needed = before + horizon
    rows = cuts.train[:, 1] - cuts.train[:, 0]
    short = [table.ids[number] for number in np.flatnonzero(rows < needed)]
    if len(short) == len(table.ids):
        raise Problem(
            f"no series has {needed} rows to train on, context and horizon together; the longest has {rows.max()}: "
            "lower --data.context or --data.horizon"
        )
    for split in ("validation", "test"):
        if not len(origins(table, cuts.of(split), before, horizon)):
            raise Problem(
                f"the {split} split has no {horizon} rows in a row to forecast, behind a gap of as many: lower "
                f"--data.horizon or raise --data.{split}"
            )
    return short


def compare(forecast: dict[str, np.ndarray], table: Table, embargo: int, rule: str) -> Leakage:
    """What is forecast in two splits, or within the embargo of it; `forecast` are the rows of each split, (n,).

    A split may be handed in any order: what counts is which rows its windows forecast.
    """
    found = []
    owner = np.repeat(np.arange(len(table.ids)), np.diff(table.offsets))
    for earlier, later in (("train", "validation"), ("train", "test"), ("validation", "test")):
        for number, name in enumerate(table.ids):
            a, b = (forecast[split][owner[forecast[split]] == number] for split in (earlier, later))
            if len(a) and len(b) and a.max() + embargo >= b.min():
                found.append(
                    f"series {name}: {earlier} forecasts up to row {a.max() - table.offsets[number]}, and {later} from "
                    f"row {b.min() - table.offsets[number]} on, less than {embargo} rows later,"
                )
    return Leakage(found, {split: len(np.unique(forecast[split])) for split in SPLITS}, 0, rule)
