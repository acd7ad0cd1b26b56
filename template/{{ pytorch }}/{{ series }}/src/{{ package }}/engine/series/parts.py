"""Parts of a table: some of its series, and what each split holds of them."""

from collections.abc import Sequence

import numpy as np

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..splits.splits import SPLITS, Entry
from .descriptions import some
from .table import Table


def select(table: Table, series: Sequence[int]) -> Table:
    """Some series of a table, by their numbers, in this order."""
    lengths = np.diff(table.offsets)[list(series)]
    rows = np.concatenate([np.arange(table.offsets[s], table.offsets[s + 1]) for s in series])
    return table._replace(
        ids=tuple(table.ids[s] for s in series),
        offsets=np.append(0, np.cumsum(lengths)).astype(np.int64),
        time=table.time[rows],
        targets=table.targets[rows],
        known=table.known[rows],
        observed=table.observed[rows],
        static=table.static[list(series)],
    )


def long_enough(table: Table, least: int, why: str) -> tuple[Table, str]:
    """The series of at least so many rows, and a line that says which were left out; "" where none was.

    `why` says what the rows are for, such as "a context of 96 and a horizon of 24".

    Raises:
        Problem: all are too short.
    """
    lengths = np.diff(table.offsets)
    short = np.flatnonzero(lengths < least)
    if not len(short):
        return table, ""
    named = some([f"{table.ids[s]} with {lengths[s]:,}" for s in short.tolist()])
    line = f"{len(short):,} of {len(lengths):,} series have fewer than the {least:,} rows of {why}: {named}"
    if len(short) == len(lengths):
        raise Problem(f"{line}: take a shorter context or horizon, or a longer table")
    return select(table, np.flatnonzero(lengths >= least).tolist()), f"{line}; left out"


def entries(table: Table, sides: np.ndarray) -> list[Entry]:
    """What the lock records of each series: the bytes of its rows, a hash of them, and how many lie in each split.

    `sides`, (N,), names each row's split; any other name is of rows that lie in none, such as an embargo.
    """
    found = []
    for s, name in enumerate(table.ids):
        rows = slice(table.offsets[s], table.offsets[s + 1])
        arrays = [table.time[rows], table.targets[rows], table.known[rows], table.observed[rows], table.static[s]]
        content = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
        counts = {split: int((sides[rows] == split).sum()) for split in SPLITS}
        text = f"{table.names} {table.frequency} {counts} "
        found.append(Entry(name, len(content), fingerprint(text.encode() + content), counts))
    return found
