"""An echo-state network (Jaeger & Haas 2004): a random recurrent network whose output alone is fitted, in NumPy.

    r_t = (1 - a) r_{t-1} + a tanh(W r_{t-1} + W_in [1, y_t])       a reservoir that echoes what it has seen
    y_{t+1} = y_t + V [1, y_t, r_t]                                 V by ridge regression on the training rows

It forecasts by taking its own output for the next value. On a smooth chaotic series without noise it is hard to beat,
and a trained recurrent network has to be seen beside it.
"""

from itertools import pairwise

import numpy as np

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
RIDGE = 1e-9
"""Of the number of rows."""
WASHOUT = 100
"""Rows at the beginning of a series that the output is not fitted to."""
MOST = 50_000
"""Series with more rows, all together, take too long one row at a time."""


class Reservoir:
    """The part that is drawn, and never fitted."""

    def __init__(self, targets: int, seed: int = 0) -> None:
        draws = np.random.default_rng(seed)
        self.hidden = np.zeros((UNITS, UNITS))
        for row in self.hidden:
            row[draws.permutation(UNITS)[:CONNECTIONS]] = draws.normal(size=CONNECTIONS)
        self.hidden *= RADIUS / np.abs(np.linalg.eigvals(self.hidden)).max()
        self.input = draws.uniform(-INPUT, INPUT, (1 + targets, UNITS))

    def step(self, state: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The next states, (n, UNITS), after values (n, K)."""
        driven = state @ self.hidden.T + self.input[0] + y @ self.input[1:]
        moved: np.ndarray = (1 - LEAK) * state + LEAK * np.tanh(driven)
        return moved


def read_out(state: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the output is a linear function of, (n, 1 + K + UNITS)."""
    return np.concatenate([np.ones((len(y), 1)), y, state], 1)


def forecast(train: Windows, split: Windows, offsets: tuple[int, ...]) -> np.ndarray | None:
    """(n, H, K) for the origins of a split; None where the series are too long or too short for it."""
    y = split.rows.targets.astype(np.float64)
    last = int(split.origins.max()) + 1
    trained = np.zeros(len(y), bool)
    trained[train.forecast] = True
    trained &= split.rows.seen.all(1)
    if last > MOST or trained.sum() < 2 * UNITS:
        return None
    reservoir = Reservoir(y.shape[1])
    states = np.zeros((last, UNITS), np.float32)
    for start, stop in pairwise(offsets):
        state = np.zeros((1, UNITS))
        for row in range(start, min(stop, last)):
            state = reservoir.step(state, y[row : row + 1])
            states[row] = state
        trained[start : start + WASHOUT] = False
    next_row = np.flatnonzero(trained[:last])
    x = read_out(states[next_row - 1].astype(np.float64), y[next_row - 1])
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += RIDGE * len(x)
    weights = np.linalg.solve(gram, x.T @ (y[next_row] - y[next_row - 1]))
    return free_run(reservoir, weights, states[split.origins].astype(np.float64), y[split.origins], split.shape.horizon)


def free_run(reservoir: Reservoir, weights: np.ndarray, state: np.ndarray, y: np.ndarray, horizon: int) -> np.ndarray:
    """Forecasts, (n, H, K), of a network that hears itself."""
    found = []
    for _ in range(horizon):
        y = y + read_out(state, y) @ weights
        found.append(y)
        state = reservoir.step(state, y)
    return np.stack(found, 1)
