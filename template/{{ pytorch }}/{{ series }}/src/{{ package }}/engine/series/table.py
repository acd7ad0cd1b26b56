"""Many series of unequal length in flat arrays, as windows are cut from."""

from typing import NamedTuple

import numpy as np


class Names(NamedTuple):
    """What the columns of a table are called, in their order."""

    targets: tuple[str, ...]
    known: tuple[str, ...]
    observed: tuple[str, ...]
    static: tuple[str, ...]


class Table(NamedTuple):
    """S series with N rows in all, flat."""

    ids: tuple[str, ...]
    """(S) names of the series."""
    offsets: np.ndarray
    """(S + 1,) int64: rows offsets[s]:offsets[s + 1] are series s, in order of time, on a regular grid."""
    time: np.ndarray
    """(N,) int64: nanoseconds since 1970 in UTC, or an integer time as it is."""
    targets: np.ndarray
    """(N, K) float32, NaN where it is missing."""
    known: np.ndarray
    """(N, P) float32: covariates known for the future too, calendar features included."""
    observed: np.ndarray
    """(N, O) float32: covariates known up to now only."""
    static: np.ndarray
    """(S, Q) float32."""
    names: Names
    frequency: str
    """As printed: "1 hour", "1 month", "step"."""
    season: int
    """Rows of a season, 1 where there is none."""
