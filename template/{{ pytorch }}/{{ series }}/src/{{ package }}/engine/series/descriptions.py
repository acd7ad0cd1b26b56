"""What is printed of a table that was read."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .layout import Layout
from .rows import Rows
from .table import Table

SHOWN, MANY = 3, 12
WEAK = 1e-6
"""Of its largest value: a target that varies less consists of the steps of float32."""


def described(name: str, table: Table, layout: Layout, share: float, unread: list[str]) -> str:
    """What was read, in a line."""
    lengths, ends = np.diff(table.offsets), layout.shown(np.array([table.time.min(), table.time.max()]))
    each = f"{lengths.min():,} to {lengths.max():,} rows" if lengths.min() < lengths.max() else f"{lengths[0]:,} rows"
    size = f"{len(lengths):,} series of {each}" if len(lengths) > 1 else each
    season = f", season {table.season} rows" if table.season > 1 else ""
    uses = "".join(f"; {field} {some(columns, MANY)}" for field, columns in table.names._asdict().items() if columns)
    rest = f" (columns that are not read: {some(unread, MANY)})" if unread else ""
    return (
        f"{name}: {size}, {ends[0]} to {ends[1]}, frequency {table.frequency} ({100 * share:.4g} % of the differences)"
        f"{season}{uses}{rest}"
    )


def unfamiliar(table: Table, layout: Layout, rows: Rows, fixed: dict[str, np.ndarray]) -> list[str]:
    """The series and the texts that training did not have, a line for each kind."""
    new = sorted(set(table.ids) - set(layout.ids))
    lines = [f"{len(new):,} series were not in training: {some(new)}"] if new else []
    for name, known in layout.categories.items():
        column = fixed[name] if name in fixed else rows.values[name].to_numpy(object)
        other = sorted(set(column.tolist()) - {*known, ""})
        if other:
            lines.append(f'"{name}" has texts that training did not have: {some(other)}')
    return lines


def still(table: Table) -> list[str]:
    """The targets that hardly change, a line for each."""
    lines = []
    series = np.repeat(np.arange(len(table.ids)), np.diff(table.offsets))
    for name, target in zip(table.names.targets, table.targets.T.astype(np.float64), strict=True):
        constant = np.flatnonzero(pd.Series(target).groupby(series).nunique() < 2)
        if len(constant) and len(table.ids) > 1:
            lines.append(
                f'"{name}" never changes in {len(constant):,} series: {some([table.ids[s] for s in constant])}'
            )
        if np.nanstd(target) < WEAK * np.nanmax(np.abs(target)):
            lines.append(f'"{name}" varies less than float32 can tell: subtract a constant from it')
    return lines


def some(names: Sequence[str], most: int = SHOWN) -> str:
    """The first few."""
    return ", ".join(names[:most]) + " …" * (len(names) > most)
