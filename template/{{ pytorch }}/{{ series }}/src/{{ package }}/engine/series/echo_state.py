"""An echo-state network (Jaeger & Haas 2004): a random recurrent network whose output alone is fitted, in NumPy.

    r_t = (1 - a) r_{t-1} + a tanh(W r_{t-1} + W_in [1, y_t])       a reservoir that echoes what it has seen
    y_{t+1} = y_t + V [1, y_t, r_t]                                 V by ridge regression on training rows

It forecasts by taking its own output for the next value. On a smooth chaotic series without noise it is hard to beat,
and a trained recurrent network has to be seen beside it.
"""

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from .windows import Windows

UNITS = 500
RADIUS = 1.1
"""The largest absolute eigenvalue of W."""
CONNECTIONS = 10
"""Of each unit."""
LEAK = 0.5
"""a."""
INPUT = 0.5
"""The uniform weights of the input lie within this."""
RIDGES = (1e-9, 1e-6, 1e-3, 1.0, 100.0)
"""Of the number of rows: the one that forecasts the end of the training rows best, fitted to what lies before."""
TRIED = 100
"""Forecasts that a ridge is chosen by."""
WASHOUT = 100
"""Rows at the beginning of a series that the output is not fitted to."""
MOST = 50_000
"""Series with more rows, all together, take too long one row at a time."""


class Reservoir:
    """The part that is drawn, and never fitted."""

    def __init__(self, targets: int, seed: int = 0) -> None:
        draws = np.random.default_rng(seed)
        hidden = np.zeros((UNITS, UNITS))
        for row in hidden:
            row[draws.permutation(UNITS)[:CONNECTIONS]] = draws.normal(size=CONNECTIONS)
        self.hidden = csr_array(hidden * RADIUS / np.abs(np.linalg.eigvals(hidden)).max())
        self.input = draws.uniform(-INPUT, INPUT, (1 + targets, UNITS))

    def step(self, state: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The next states, (n, UNITS), after values (n, K)."""
        driven = (self.hidden @ state.T).T + self.input[0] + y @ self.input[1:]
        moved: np.ndarray = (1 - LEAK) * state + LEAK * np.tanh(driven)
        return moved


def read_out(state: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the output is a linear function of, (n, 1 + K + UNITS)."""
    return np.concatenate([np.ones((len(y), 1)), y, state], 1)


def forecast(train: Windows, split: Windows, offsets: tuple[int, ...]) -> np.ndarray | None:
    """(n, H, K) for the origins of a split; None where the series are too long or too short for it."""
    y = split.rows.targets.astype(np.float64)
    last = int(max(split.origins.max(), train.origins.max())) + 1
    trained = np.zeros(len(y), bool)
    trained[train.forecast] = True
    trained &= split.rows.seen.all(1)
    if last > MOST or trained.sum() < 2 * UNITS:
        return None
    reservoir = Reservoir(y.shape[1])
    states = np.zeros((last, UNITS))
    for start, stop in pairwise(offsets):
        state = np.zeros((1, UNITS))
        for row in range(start, min(stop, last)):
            state = reservoir.step(state, y[row : row + 1])
            states[row] = state
        trained[start : start + WASHOUT] = False
    rows = np.flatnonzero(trained[:last])
    later = train.origins[4 * len(train) // 5 :]
    asked = later[np.linspace(0, len(later) - 1, min(TRIED, len(later))).round().astype(int)]
    goal = y[asked[:, None] + np.arange(1, split.shape.horizon + 1)]
    # Origins are in order of time, and rows are not: several series lie one behind the other.
    before = rows[split.rows.time[rows] < split.rows.time[asked].min()]
    if not len(before):
        return None
    errors, limits = [], np.stack([y[rows].min(0), y[rows].max(0)])
    for weights in fits(states, y, before):
        found = free_run(reservoir, weights, states[asked], y[asked], split.shape.horizon, limits)
        errors.append(((found - goal) ** 2).mean())
    weights = fits(states, y, rows)[int(np.argmin(errors))]
    return free_run(reservoir, weights, states[split.origins], y[split.origins], split.shape.horizon, limits)


def fits(states: np.ndarray, y: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """The output's weights by each of `RIDGES`, fitted to the differences that lead to these rows."""
    x = read_out(states[rows - 1], y[rows - 1])
    gram, toward = x.T @ x, x.T @ (y[rows] - y[rows - 1])
    return [np.linalg.solve(gram + ridge * len(x) * np.eye(len(gram)), toward) for ridge in RIDGES]


def free_run(
    reservoir: Reservoir, weights: np.ndarray, state: np.ndarray, y: np.ndarray, horizon: int, limits: np.ndarray
) -> np.ndarray:
    """Forecasts, (n, H, K), of a network that hears itself; what runs away stops at the limits, (2, K)."""
    found = []
    for _ in range(horizon):
        y = np.clip(y + read_out(state, y) @ weights, *limits)
        found.append(y)
        state = reservoir.step(state, y)
    return np.stack(found, 1)
