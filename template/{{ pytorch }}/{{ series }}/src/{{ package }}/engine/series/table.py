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
