"""The Mackey-Glass series: chaotic, without noise, and made here.

    dx/dt = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x(t)

(Mackey & Glass 1977, equation 4b with the usual constants). With tau = 17 two trajectories that are close move apart by
e in about 170 units of time, and the slope depends on what was 17 units ago: who sees one value at a time has to
remember. Nothing but sums, products and quotients is taken of float64 numbers, so every machine makes the same bits;
powers of a mathematical library would not do, since chaos makes another series of a last bit.
"""

import numpy as np

from .table import Names, Table

ROWS = 12_000
"""Of the series that is trained on."""
TAU = 17
"""The delay, in units of time; a row is one unit."""
STEPS = 10
"""Runge-Kutta steps in a unit of time."""
WASHOUT = 1000
"""Units of time that are left out at the beginning, until the series is on its attractor."""
START = 1.2
"""What it was before the first of them."""


def slope(x: float, delayed: float) -> float:
    """dx/dt."""
    square = delayed * delayed
    fourth = square * square
    return 0.2 * delayed / (1.0 + fourth * fourth * square) - 0.1 * x


def mackey_glass(rows: int) -> np.ndarray:
    """(rows,) float64, one row for each unit of time, by Runge-Kutta of the fourth order.

    Half of a step back in the past, the cubic through values and slopes of its two neighbours is taken.
    """
    h, delay = 1.0 / STEPS, TAU * STEPS
    x, slopes = [START] * (delay + 1), [0.0] * (delay + 1)
    for step in range((WASHOUT + rows) * STEPS):
        now, old, next_old = x[-1], x[step], x[step + 1]
        k1 = slope(now, old)
        slopes[-1] = k1
        middle = (old + next_old) / 2 + h / 8 * (slopes[step] - slopes[step + 1])
        k2 = slope(now + h / 2 * k1, middle)
        k3 = slope(now + h / 2 * k2, middle)
        k4 = slope(now + h * k3, next_old)
        x.append(now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
        slopes.append(0.0)
    return np.array(x[delay + (WASHOUT + 1) * STEPS :: STEPS])


def table(rows: int = ROWS) -> Table:
    """The series, as one of a table."""
    nothing = np.zeros((rows, 0), np.float32)
    return Table(
        ids=("Mackey-Glass",),
        offsets=np.array([0, rows]),
        time=np.arange(rows),
        targets=mackey_glass(rows).astype(np.float32)[:, None],
        known=nothing,
        observed=nothing,
        static=np.zeros((1, 0), np.float32),
        names=Names(("x",)),
        frequency="step",
        season=1,
    )
