"""What the lock records of a table: each series, and what each split holds of it."""

import numpy as np

from ..core.config_io import fingerprint
from ..splits.splits import SPLITS, Entry
from .table import Table


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
