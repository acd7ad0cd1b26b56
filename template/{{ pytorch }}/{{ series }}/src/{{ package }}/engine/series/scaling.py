"""What is fitted to series before a model sees them: to their training rows, and to nothing else."""

from typing import NamedTuple

import numpy as np

from ..core.errors import Problem
from ..splits.splits import Training
from .division import spans
from .table import Table

FLOOR = 1e-6
"""A deviation below this share of the level is none."""


class Scaler(NamedTuple):
    """Statistics of the training rows; S series, K targets, P known and O observed covariates, Q static ones."""

    level: np.ndarray
    """(S, K): mean of each series, of all where it has no training rows."""
    scale: np.ndarray
    """(S, K): its deviation."""
    step: np.ndarray
    """(K,): deviation of the scaled difference of two rows that follow each other, over all series."""
    naive: np.ndarray
    """(S, K): mean absolute error of the forecast that takes the value of a season ago, divided by `scale`; NaN where
    it is never wrong. The scale of MASE (Hyndman & Koehler 2006)."""
    naive_rms: np.ndarray
    """(S, K): its root mean squared error, likewise. The scale of RMSSE (Makridakis et al. 2022)."""
    covariates: np.ndarray
    """(2, P + O + Q): mean and deviation of each."""


def fit(rows: Training[Table]) -> Scaler:
    """The statistics.

    Raises:
        Problem: a target is the same in all training rows.
    """
    table = rows.data
    of_series = by_series(table, np.nanmean(table.targets.astype(np.float64), 0))
    level, scale = of_series["level"], of_series["scale"]
    refuse_constants(scale, table.names.targets)
    scale = np.where(np.isnan(scale), np.nanmedian(scale, 0), scale)
    steps, seasonal = [], []
    for (start, stop), deviation in zip(spans(table), scale, strict=True):
        y = table.targets[start:stop] / deviation
        steps.append(y[1:] - y[:-1])
        seasonal.append(y[table.season :] - y[: -table.season])
    return Scaler(
        level,
        scale,
        np.sqrt(mean_of(np.concatenate(steps) ** 2)),
        np.array([none_for_zero(mean_of(np.abs(errors))) for errors in seasonal]),
        np.array([none_for_zero(np.sqrt(mean_of(errors**2))) for errors in seasonal]),
        spread(table),
    )


def by_series(table: Table, pooled: np.ndarray) -> dict[str, np.ndarray]:
    """`level` and `scale`, (S, K): mean and deviation of what is there of each series.

    The level is `pooled`, (K,), where nothing is, and the scale NaN where there is no deviation.
    """
    level, scale = [], []
    for start, stop in spans(table):
        y = table.targets[start:stop].astype(np.float64)
        mean = mean_of(y)
        mean = np.where(np.isnan(mean), pooled, mean)
        deviation = np.sqrt(mean_of((y - mean) ** 2))
        level.append(mean)
        scale.append(np.where(deviation > FLOOR * np.abs(mean), deviation, np.nan))
    return {"level": np.array(level), "scale": np.array(scale)}


def mean_of(values: np.ndarray) -> np.ndarray:
    """The mean of each column without what is missing; NaN where all is."""
    count = np.isfinite(values).sum(0)
    return np.nansum(values, 0) / np.where(count, count, np.nan)


def none_for_zero(values: np.ndarray) -> np.ndarray:
    """NaN in the place of zeros, by which nothing can be divided."""
    return np.where(values > 0, values, np.nan)


def refuse_constants(scales: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise a Problem where a target has no deviation in any series."""
    for name, column in zip(names, scales.T, strict=True):
        if np.isnan(column).all():
            raise Problem(f"{name} is the same in all training rows: there is nothing to forecast; leave it out")


def spread(table: Table) -> np.ndarray:
    """Mean and deviation of each covariate, (2, P + O + Q); a constant one has the deviation 1."""
    means, deviations = [], []
    for values in (table.known, table.observed, table.static):
        mean = mean_of(values.astype(np.float64))
        deviation = np.sqrt(mean_of((values - mean) ** 2))
        means.append(mean)
        deviations.append(np.where(deviation > FLOOR * np.abs(mean), deviation, 1.0))
    return np.nan_to_num(np.array([np.concatenate(means), np.concatenate(deviations)]), nan=1.0)


def scaled(table: Table, scaler: Scaler) -> Table:
    """The same series with targets and covariates of level 0 and deviation 1; what is missing stays so."""
    owner = np.repeat(np.arange(len(table.ids)), np.diff(table.offsets))
    targets = (table.targets - scaler.level[owner]) / scaler.scale[owner]
    ends = np.cumsum([table.known.shape[1], table.observed.shape[1]])
    parts = [
        (values - mean) / deviation
        for values, mean, deviation in zip(
            (table.known, table.observed, table.static),
            np.split(scaler.covariates[0], ends),
            np.split(scaler.covariates[1], ends),
            strict=True,
        )
    ]
    known, observed, static = (part.astype(np.float32) for part in parts)
    return table._replace(targets=targets.astype(np.float32), known=known, observed=observed, static=static)
