"""Does anything see what it must not? Asked by changing that, and looking whether anything else changes.

Each returns what it found, and raises AssertionError where something does.
"""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from ..core.errors import require
from .division import Cuts
from .scaling import Scaler
from .table import Table
from .windows import Windows, prepare


def ignores_what_is_held_out(table: Table, cuts: Cuts, fitted: Callable[[Table, Cuts], Scaler], train: Windows) -> str:
    """Other rows behind the first cut change neither what is fitted to the series, nor a training window."""
    held_out = np.ones(len(table.time), bool)
    for start, stop in cuts.train.tolist():
        held_out[start:stop] = False
    changed = table._replace(
        targets=np.where(held_out[:, None], 7 - 3 * table.targets, table.targets),
        known=np.where(held_out[:, None], 7 - 3 * table.known, table.known),
        observed=np.where(held_out[:, None], 7 - 3 * table.observed, table.observed),
    )
    before, after = fitted(table, cuts), fitted(changed, cuts)
    for name in before._fields:
        same = np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True)
        require(same, f"`{name}` of the scaler changes with rows that are held out: fit it to training rows alone")
    other = Windows(prepare(changed, after), train.origins, train.shape)
    indices = np.arange(len(train))[:: max(1, len(train) // 64)]
    for name, values in train.batch(indices, None).items():
        same = np.array_equal(values.numpy(), other.batch(indices, None)[name].numpy())
        require(same, f"`{name}` of a training window changes with rows that are held out")
    return f"{int(held_out.sum())} rows changed: scaler and {len(indices)} windows equal to the bit"


def blind_to_the_future(windows: Windows, forecast: Callable[[Windows, int], Tensor]) -> str:
    """Other targets and observed covariates behind an origin do not change the forecast from it."""
    index = len(windows) // 2
    rows, origin = windows.rows, int(windows.origins[index])
    behind = np.arange(len(rows.targets)) > origin
    changed = rows._replace(
        targets=np.where(behind[:, None], 7 - 3 * rows.targets, rows.targets),
        seen=np.where(behind[:, None], ~rows.seen, rows.seen),
        observed=np.where(behind[:, None], 7 - 3 * rows.observed, rows.observed),
    )
    before = forecast(windows, index)
    after = forecast(Windows(changed, windows.origins, windows.shape), index)
    require(before.equal(after), f"a forecast changes by up to {(before - after).abs().max():.3g} with its future")
    return f"what lies behind row {origin} changed: the forecast is equal to the bit"
