"""Many series in one table: what a reader of people's own files returns, and what is made here."""

from typing import NamedTuple

import numpy as np


class Names(NamedTuple):
    """What the columns of a table are called."""

    targets: tuple[str, ...]
    known: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()
    static: tuple[str, ...] = ()


class Table(NamedTuple):
    """Series of unequal length, one behind the other; S series, N rows."""

    ids: tuple[str, ...]
    """(S) names of the series."""
    offsets: np.ndarray
    """(S + 1,) int64: rows offsets[s] : offsets[s + 1] are series s, in order of time, on a regular grid."""
    time: np.ndarray
    """(N,) int64: nanoseconds since 1970 in UTC, or an integer time as it is."""
    targets: np.ndarray
    """(N, K) float32, NaN where it is missing."""
    known: np.ndarray
    """(N, P) float32: covariates that are known for the future too, calendar features included."""
    observed: np.ndarray
    """(N, O) float32: covariates that are known up to now only."""
    static: np.ndarray
    """(S, Q) float32."""
    names: Names
    frequency: str
    """As it is printed: "1 hour", "1 month", "step"."""
    season: int
    """Rows of a season, 1 where there is none."""


class Shape(NamedTuple):
    """How many rows a window has."""

    lags: int
    """Values of the past that one step of the model is given, the last one included."""
    context: int
    """Steps of the model up to the origin of the forecast."""
    horizon: int
    """Rows behind the origin."""

    @property
    def before(self) -> int:
        """Rows up to the origin, it included."""
        return self.lags - 1 + self.context


MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""Units of a frequency whose rows are not equally far apart, in months."""
DAY = np.timedelta64(1, "D")


def following(time: np.ndarray, steps: int, frequency: str) -> np.ndarray:
    """The times of the next rows of a series, (steps,): calendar months later, or as far apart as its last two."""
    count, _, unit = frequency.partition(" ")
    months = MONTHS.get(unit.removesuffix("s"))
    if months is None:
        apart = time[-1] - time[-2] if len(time) > 1 else 1
        return time[-1] + apart * np.arange(1, steps + 1)
    last = time[-1].astype("datetime64[ns]")
    month = last.astype("datetime64[M]")
    later = month + int(count) * months * np.arange(1, steps + 1)
    within = last - month.astype("datetime64[ns]")
    # A month that has no such day has its last one.
    ends = (later + 1).astype("datetime64[ns]") - DAY + within % DAY
    ahead: np.ndarray = np.minimum(later.astype("datetime64[ns]") + within, ends).astype(np.int64)
    return ahead
