"""What simple methods forecast, fitted to the training rows: no result means anything without them.

Each takes scaled series and gives (n, H, K) for n origins, H steps ahead and K targets.

    last value        y_t
    seasonal naive    the value at the same place of the last season
    drift             on along the line through the first and the last value (Hyndman & Athanasopoulos 2021, 5.2)
    AR                a linear function of the last values for each step ahead, by least squares
    quadratic AR      with their products too
    echo state        a random recurrent network whose output alone is fitted: `echo_state.py`
"""

from functools import lru_cache

import numpy as np
import torch

from . import echo_state
from .metrics import by_horizon
from .windows import Windows

LAGS = 20
"""Values of the past that an autoregression sees, or a season where that is longer."""
MOST_FEATURES = 400
"""An autoregression on more is not fitted."""
MOST_WINDOWS = 50_000
"""One is fitted to so many at most, spread evenly."""
TOGETHER = 10_000
"""Forecasts that are made at a time."""
RIDGE = 1e-6
"""Of the mean square of a feature: keeps nearly equal lags from cancelling with huge weights."""
Forecasts = dict[str, np.ndarray]


class Measured:
    """A split's truth, and what the simple methods forecast of it; computed once for each pair of splits."""

    def __init__(self, split: Windows, forecasts: Forecasts) -> None:
        ahead = split.origins[:, None] + np.arange(1, split.shape.horizon + 1)
        self.truth, self.seen = (torch.from_numpy(of[ahead]) for of in (split.rows.targets, split.rows.seen))
        self.forecasts = {name: torch.from_numpy(values.astype(np.float32)) for name, values in forecasts.items()}

    def nrmse(self, steps: slice = slice(None)) -> dict[str, float]:
        """The root mean squared error of each over these steps, in deviations of the series."""
        squared = {name: (values - self.truth).double()[:, steps] ** 2 for name, values in self.forecasts.items()}
        seen = self.seen[:, steps]
        return {name: (of[seen].mean().sqrt()).item() for name, of in squared.items()}

    def mae(self) -> dict[str, float]:
        """The mean absolute error of each over all steps, in deviations of the series."""
        return {name: (of - self.truth)[self.seen].double().abs().mean().item() for name, of in self.forecasts.items()}

    def by_horizon(self) -> dict[str, np.ndarray]:
        """The root mean squared error of each at each step ahead, (H,)."""
        return {name: by_horizon(values - self.truth, self.seen) for name, values in self.forecasts.items()}


@lru_cache(maxsize=4)
def baselines(train: Windows, split: Windows, offsets: tuple[int, ...], season: int) -> Measured:
    """All of them; `offsets` are the first rows of the series, and their end."""
    starts = np.array(offsets)
    y, horizon, origins = split.rows.targets, split.shape.horizon, split.origins
    forecasts = {"last value": np.repeat(y[origins][:, None], horizon, 1), "drift": drift(y, origins, starts, horizon)}
    if season > 1:
        forecasts["seasonal naive"] = seasonal_naive(y, origins, starts, horizon, season)
    for name, quadratic in (("AR", False), ("quadratic AR", True)):
        fitted = autoregression(train, split, min(max(LAGS, season), split.shape.before), quadratic)
        if fitted is not None:
            forecasts[name] = fitted
    reached = echo_state.forecast(train, split, offsets)
    if reached is not None:
        forecasts["echo state network"] = reached
    return Measured(split, forecasts)


def drift(y: np.ndarray, origins: np.ndarray, starts: np.ndarray, horizon: int) -> np.ndarray:
    """On along the line through the first and the last value that is known."""
    first = starts[np.searchsorted(starts, origins, side="right") - 1]
    slope = (y[origins] - y[first]) / np.maximum(origins - first, 1)[:, None]
    return y[origins][:, None] + slope[:, None] * np.arange(1, horizon + 1)[None, :, None]


def seasonal_naive(y: np.ndarray, origins: np.ndarray, starts: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The value a whole number of seasons ago; the last value where the series is shorter than a season."""
    first = starts[np.searchsorted(starts, origins, side="right") - 1]
    place = origins[:, None] - season + 1 + np.arange(horizon) % season
    forecast: np.ndarray = y[np.where(place >= first[:, None], place, origins[:, None])]
    return forecast


def autoregression(train: Windows, split: Windows, lags: int, quadratic: bool) -> np.ndarray | None:
    """Least squares for each step ahead; None where there would be too many features, or too few rows for them."""
    targets = split.rows.targets.shape[1]
    count = targets * lags
    if quadratic:
        count += count * (count + 1) // 2
    horizon = split.shape.horizon
    ahead = np.arange(1, horizon + 1)
    back = np.arange(1 - lags, 1)
    window = train.origins[:, None] + np.concatenate([back, ahead])
    whole = train.origins[train.rows.seen[window].all((1, 2))]
    if count > MOST_FEATURES or len(whole) < 2 * count:
        return None
    whole = whole[np.linspace(0, len(whole) - 1, min(len(whole), MOST_WINDOWS)).round().astype(int)]
    y = train.rows.targets.astype(np.float64)
    x = features(y[whole[:, None] + back], quadratic)
    goal = y[whole[:, None] + ahead] - y[whole][:, None]
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += RIDGE * len(x)
    weights = np.linalg.solve(gram, x.T @ goal.reshape(len(x), -1))
    parts = np.split(split.origins, range(TOGETHER, len(split), TOGETHER))
    asked = np.concatenate([features(y[part[:, None] + back], quadratic) @ weights for part in parts])
    return y[split.origins][:, None] + asked.reshape(len(split), horizon, targets)


def features(past: np.ndarray, quadratic: bool) -> np.ndarray:
    """(n, F) of (n, lags, K) values: 1, the values, and their products."""
    flat = past.reshape(len(past), -1)
    parts = [np.ones((len(flat), 1)), flat]
    if quadratic:
        one, other = np.triu_indices(flat.shape[1])
        parts.append(flat[:, one] * flat[:, other])
    return np.concatenate(parts, 1)
