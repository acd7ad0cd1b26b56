"""The hour, the day of the week and the day of the year, as points on a circle."""

import numpy as np

from .grid import DAY, Grid, calendar

CYCLES = {"hour": DAY, "weekday": 7 * DAY, "yearday": 365 * DAY}
"""Their names, and how long each takes."""


def cycles_of(grid: Grid, wall: np.ndarray, integer: bool) -> tuple[str, ...]:
    """The cycles that rows of a frequency go through, as far as all rows, held-out ones too, hold two turns of each.

    A model that has seen less than that of a year would meet days in its test that it knows nothing of.
    """
    if integer:
        return ()
    span = int(wall.max()) - int(wall.min())
    row = grid.size * {"day": DAY, "weekday": DAY, "month": 31 * DAY}.get(grid.unit, 1)
    return tuple(name for name, turn in CYCLES.items() if row < turn and span >= 2 * turn)


def features(cycles: tuple[str, ...], wall: np.ndarray) -> np.ndarray:
    """(N, 2 C) float32: sine and cosine of each cycle at (N,) nanoseconds by the clock on the wall."""
    of = calendar(wall)
    year = of.month.astype("datetime64[M]").astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    turns = {"hour": of.rest / DAY, "weekday": ((of.days + 3) % 7) / 7, "yearday": (of.days - year) / 365.25}
    angles = [2 * np.pi * turns[name] for name in cycles]
    columns = [column for angle in angles for column in (np.sin(angle), np.cos(angle))]
    return np.stack(columns, 1).astype(np.float32) if columns else np.empty((len(wall), 0), np.float32)


def headings(cycles: tuple[str, ...]) -> tuple[str, ...]:
    """What the columns of `features` are called."""
    return tuple(f"{name} {part}" for name in cycles for part in ("sin", "cos"))
