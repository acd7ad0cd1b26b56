"""Documents that are nearly the same: MinHash proposes pairs, and their true similarity decides.

A document is the set of its shingles: each run of three words, without case and punctuation. Two documents are alike
where at least half of their shingles are common, |A & B| / |A | B| >= 0.5 (Jaccard). A function that hashes shingles
has the same smallest value on two sets with just this probability (Broder 1997). A signature holds the smallest values
of BANDS x ROWS such functions, and documents that agree in all rows of a band are compared. A pair of similarity s is
found with probability 1 - (1 - s^ROWS)^BANDS (Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", section 3.4):
0.995 for 0.5, and more than 0.9999 for 0.6.
"""

import re
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from .dedup import Pair

WORDS = 3
ALIKE = 0.5
RULE = f"Jaccard similarity of {WORDS}-word shingles at least {ALIKE}"
BANDS, ROWS = 40, 3
MANY = 50
"""In a bucket of more documents, each is compared with this many: what is alike there is so with one of them."""
WORD = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff]+|[\u3040-\u30ff\u3400-\u9fff]")
"""A word; Chinese and Japanese do without spaces, and each character is one."""
ODD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: multiplying by it spreads numbers (Knuth, "Sorting and Searching", section 6.4)."""


def near(texts: list[str]) -> list[Pair]:
    """The pairs of texts that are alike."""
    sets = [shingles(text) for text in texts]
    compared = ((a, b, jaccard(sets[a], sets[b])) for a, b in sorted(candidates(sets)))
    return [Pair(a, b, similarity) for a, b, similarity in compared if similarity >= ALIKE]


def shingles(text: str) -> np.ndarray:
    """The hashes of the text's shingles, sorted; those of a shorter text are one shingle of all its words."""
    words = WORD.findall(text.casefold())
    codes = np.fromiter(map(zlib.crc32, map(str.encode, words)), np.uint64, len(words))
    size = min(WORDS, len(codes))
    count = len(codes) - size + 1
    return np.unique(folded(codes[offset : offset + count] for offset in range(size))) if size else codes


def folded(parts: Iterable[np.ndarray]) -> np.ndarray:
    """One hash of several numbers in their order, elementwise."""
    hashed = np.zeros(1, np.uint64)
    for part in parts:
        hashed = (hashed + part) * ODD
        hashed = hashed ^ hashed >> np.uint64(29)
    return hashed


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """|A & B| / |A | B| of two sorted sets."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)


def candidates(sets: list[np.ndarray]) -> set[tuple[int, int]]:
    """The pairs of sets that agree in all rows of a band."""
    filled = [number for number, hashes in enumerate(sets) if len(hashes)]
    if not filled:
        return set()
    signature = signatures([sets[number] for number in filled])
    return {
        (filled[bucket[earlier]], filled[bucket[later]])
        for band in np.split(signature, BANDS)
        for bucket in buckets(folded(band))
        for later in range(1, len(bucket))
        for earlier in range(min(later, MANY))
    }


def signatures(sets: list[np.ndarray]) -> np.ndarray:
    """(BANDS x ROWS, sets): the smallest value of each hash function on each set, none of which is empty."""
    together = np.concatenate(sets)
    starts = np.cumsum([0, *(len(hashes) for hashes in sets[:-1])])
    multipliers = np.cumprod(np.full(BANDS * ROWS, ODD))
    return np.stack([np.minimum.reduceat(together * multiplier, starts) for multiplier in multipliers])


def buckets(values: np.ndarray) -> Iterator[list[int]]:
    """The positions of each value that occurs more than once, in their order."""
    order = np.argsort(values, kind="stable")
    borders = np.flatnonzero(np.diff(values[order])) + 1
    for bucket in np.split(order, borders):
        if len(bucket) > 1:
            yield bucket.tolist()
