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


def feedback(delayed: np.ndarray) -> np.ndarray:
    """What the past adds to the slope."""
    square = delayed * delayed
    fourth = square * square
    return 0.2 * delayed / (1.0 + fourth * fourth * square)


def mackey_glass(rows: int) -> np.ndarray:
    """(rows,) float64, one row for each unit of time, by Runge-Kutta of the fourth order.

    As long as the delay is, what the past adds is known beforehand. Half of a step back in it, the cubic through values
    and slopes of both neighbours is taken.
    """
    h, delay = 1.0 / STEPS, TAU * STEPS
    x, slopes = np.full(delay + 1, START), np.zeros(delay + 1)
    total = (WASHOUT + rows) * STEPS
    pieces = [x]
    for _ in range(-(-total // delay)):
        added = feedback(x)
        middle = feedback((x[:-1] + x[1:]) / 2 + h / 8 * (slopes[:-1] - slopes[1:]))
        now, found = float(x[-1]), [float(x[-1])]
        for first, half, last in zip(added[:-1].tolist(), middle.tolist(), added[1:].tolist(), strict=True):
            k1 = first - 0.1 * now
            k2 = half - 0.1 * (now + h / 2 * k1)
            k3 = half - 0.1 * (now + h / 2 * k2)
            k4 = last - 0.1 * (now + h * k3)
            now = now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            found.append(now)
        x = np.array(found)
        slopes = added - 0.1 * x
        pieces.append(x[1:])
    return np.concatenate(pieces)[delay + (WASHOUT + 1) * STEPS :: STEPS][:rows]


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
