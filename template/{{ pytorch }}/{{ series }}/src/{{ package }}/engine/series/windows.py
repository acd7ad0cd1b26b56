"""Windows of scaled series: what one example is made of, sliced when it is asked for."""

from typing import NamedTuple

import numpy as np
import torch

from ..core.batch import Batch
from .division import spans
from .scaling import Scaler, scaled
from .table import Shape, Table


class Rows(NamedTuple):
    """Scaled series, ready to be sliced."""

    targets: np.ndarray
    """(N, K): where a value is missing, the last one before it; the level, 0, where there is none."""
    seen: np.ndarray
    """(N, K) bool: whether it is there."""
    known: np.ndarray
    observed: np.ndarray
    static: np.ndarray
    """(N, ·) each, a series' static covariates in all its rows; 0 where one is missing."""
    time: np.ndarray
    """(N,)"""
    naive: np.ndarray
    naive_rms: np.ndarray
    """(N, K) each: of its series, as `Scaler` has it; 0 where it has none."""


def prepare(table: Table, scaler: Scaler) -> Rows:
    """Scale the series and fill what is missing from the past alone."""
    series = scaled(table, scaler)
    owner = np.repeat(np.arange(len(table.ids)), np.diff(table.offsets))
    seen = np.isfinite(series.targets)
    return Rows(
        carried(series),
        seen,
        np.nan_to_num(series.known),
        np.nan_to_num(series.observed),
        np.nan_to_num(series.static)[owner],
        series.time,
        np.nan_to_num(scaler.naive)[owner].astype(np.float32),
        np.nan_to_num(scaler.naive_rms)[owner].astype(np.float32),
    )


def carried(table: Table) -> np.ndarray:
    """Targets, each missing one replaced by the last of its series that is there; by 0 where there is none."""
    seen = np.isfinite(table.targets)
    place = np.where(seen, np.arange(len(seen))[:, None], -1)
    for start, stop in spans(table):
        place[start:stop] = np.maximum.accumulate(place[start:stop], axis=0)
    filled = np.take_along_axis(table.targets, np.maximum(place, 0), 0)
    return np.where(place >= 0, filled, np.float32(0))


class Windows:
    """One split."""

    def __init__(self, rows: Rows, origins: np.ndarray, shape: Shape) -> None:
        """`origins`, (n,), are the last rows that the forecasts know."""
        self.rows, self.origins, self.shape = rows, origins, shape

    def __len__(self) -> int:
        return len(self.origins)

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """Windows of `lags` - 1 + T + 1 rows, where T steps of the model forecast one row each.

        A training takes T = `context` steps, from a place in the window that `noise` draws. What is measured has all:
        T = `context` + `horizon` - 1, and a forecast begins behind the row number `lags` - 1 + `context`.

            y           (B, lags + T, K) float32, scaled
            seen        the same, bool: False where y is filled in
            covariates  (B, T, C) float32: for the step from row r, what is known of row r + 1, what was observed at r,
                        or at the origin where that is earlier, and what is static; where there are any
            naive, naive_rms   (B, K) float32: scales of MASE and RMSSE, in what is measured
        """
        rows, shape, origin = self.rows, self.shape, self.origins[indices]
        first = origin - shape.before + 1
        if noise is not None:
            first = first + noise.integers(0, shape.horizon, len(indices))
        steps = shape.context + (shape.horizon - 1 if noise is None else 0)
        window = first[:, None] + np.arange(shape.lags + steps)
        batch = {"y": torch.from_numpy(rows.targets[window]), "seen": torch.from_numpy(rows.seen[window])}
        if rows.known.shape[1] + rows.observed.shape[1] + rows.static.shape[1]:
            now = window[:, shape.lags - 1 : -1]
            up_to_now = np.minimum(now, origin[:, None]) if noise is None else now
            parts = (rows.known[now + 1], rows.observed[up_to_now], rows.static[now])
            batch["covariates"] = torch.from_numpy(np.concatenate(parts, 2))
        if noise is None:
            batch["naive"] = torch.from_numpy(rows.naive[origin])
            batch["naive_rms"] = torch.from_numpy(rows.naive_rms[origin])
        return batch

    @property
    def forecast(self) -> np.ndarray:
        """The rows that any of these windows forecasts, (n,)."""
        return np.unique(self.origins[:, None] + np.arange(1, self.shape.horizon + 1))
