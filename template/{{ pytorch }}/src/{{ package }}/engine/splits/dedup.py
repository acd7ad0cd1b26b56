"""Near-duplicates, and the groups that they make before a split is decided."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

BLOCK = 1024
"""Rows that are compared with all others at once."""


class Pair(NamedTuple):
    """Two examples that are alike, by their positions."""

    first: int
    second: int
    similarity: float
    """1 is equal; what it measures is the finder's."""


def joined(keys: Sequence[str], pairs: Iterable[Pair]) -> list[str]:
    """The group of each example: the smallest key among those that pairs connect it with, however many lie between.

    `keys` are hashes of the examples' content. Equal examples have equal keys and share a group without a pair; what
    resembles nothing is its own group. Neither the order of the examples nor that of the pairs matters.
    """
    root = {key: key for key in keys}

    def find(key: str) -> str:
        while root[key] != key:
            root[key] = root[root[key]]
            key = root[key]
        return key

    for first, second, _ in pairs:
        low, high = sorted((find(keys[first]), find(keys[second])))
        root[high] = low
    return [find(key) for key in keys]


def correlated(x: np.ndarray, least: float) -> list[Pair]:
    """The pairs of rows whose correlation is at least `least`, which brightness and contrast do not change.

    `x` is (n, features). The correlation with a constant row is not defined and counts as 0.
    """
    centred = x - x.mean(1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    pairs = []
    for start in range(0, len(unit), BLOCK):
        r = unit[start : start + BLOCK] @ unit[start:].T
        first, second = np.nonzero(np.triu(r >= least, k=1))
        found = zip(first.tolist(), second.tolist(), r[first, second].tolist(), strict=True)
        pairs += [Pair(start + a, start + b, similarity) for a, b, similarity in found]
    return pairs
