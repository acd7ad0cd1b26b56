"""Images that are nearly the same: of another size, compressed otherwise, a little brighter."""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy.fft import dctn

from ..core.config_io import fingerprint
from ..splits.dedup import Pair

SIDE = 32
"""Pixels along the grey image whose frequencies are hashed."""
SMALL = 16
"""Pixels along the one that candidates are compared by."""
BITS = 8
"""The hash has a bit for each of the lowest so many frequencies along each side."""
FAR = 12
"""Hashes that differ in as many bits are of different images."""
BANDS = 8
"""Parts of a hash. Two hashes are compared if they agree in one of them: as all do that differ in fewer bits than there
are parts, and 94 % of those that differ in 11."""
SHARE = 0.97
"""What the small images of two candidates correlate by at least: a hash alone takes drawings on white for the same."""
BLOCK = 2**17
"""Pairs of hashes that are compared at once, ..."""
TOGETHER = 512
"""... and pairs of small images."""


def perceptual_hash(pixels: np.ndarray) -> tuple[int, np.ndarray]:
    """64 bits that nearly equal images share, and a small image with their colours, (channels · SMALL²,), uint8.

    A bit says whether one of the lowest 8 x 8 frequencies of the grey image is above their median (Zauner 2010, pHash).

    `pixels` is (channels, Y, X), uint8.
    """
    side = resized(pixels.mean(0).astype(np.uint8), SIDE).astype(np.float64)
    # Rounded, or the bits of an image of one colour would be those of rounding errors.
    low = dctn(side, norm="ortho")[:BITS, :BITS].ravel().round(6)
    bits = low > np.median(low[1:])
    small = np.stack([resized(channel, SMALL) for channel in pixels])
    return int.from_bytes(np.packbits(bits).tobytes(), "big"), small.ravel()


def resized(channel: np.ndarray, side: int) -> np.ndarray:
    """A channel, (Y, X), as (side, side): the mean of what lies under each new pixel."""
    return np.asarray(Image.fromarray(channel).resize((side, side), Image.Resampling.BOX))


def near_pairs(hashes: np.ndarray, small: np.ndarray) -> Iterator[Pair]:
    """Pairs of images whose hashes differ in fewer than FAR bits and whose small images correlate.

    They connect all that such pairs connect, and no more are given: of equal images each is compared through the first
    alone, and what other pairs connect is not compared, so that a film's frames do not take the square of their number.

    `hashes` is (n,), uint64; `small` is (n, channels · SMALL²), uint8, and may lie on the disk.
    """
    first = firsts(hashes, small)
    rows = np.flatnonzero(first == np.arange(len(first)))
    for row in np.flatnonzero(first != np.arange(len(first))).tolist():
        yield Pair(int(first[row]), row, 1.0)
    parent = np.arange(len(hashes))
    for places in candidates(hashes[rows]):
        pairs = rows[places]
        while (apart := np.ptp(roots(parent, pairs), axis=1) > 0).any():
            some, pairs = np.split(pairs[apart], [TOGETHER])
            likeness = correlations(small[some[:, 0]], small[some[:, 1]])
            for (one, other), value in zip(some.tolist(), likeness.tolist(), strict=True):
                if value >= SHARE:
                    ends = roots(parent, np.array([one, other]))
                    if ends[0] != ends[1]:
                        parent[ends.max()] = ends.min()
                        yield Pair(one, other, value)


def firsts(hashes: np.ndarray, small: np.ndarray) -> np.ndarray:
    """The first row that is equal to each one, (n,), int64."""
    first = np.arange(len(hashes))
    for rows in equal_runs(hashes):
        if len(rows) > 1:
            seen = dict[str, int]()
            for row in rows.tolist():
                first[row] = seen.setdefault(fingerprint(small[row].tobytes()), row)
    return first


def equal_runs(values: np.ndarray) -> list[np.ndarray]:
    """The places of each value, in their order."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1)


def roots(parent: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What stands for the group of each row; the ways there are shortened."""
    found = parent[rows]
    while (further := parent[found] != found).any():
        found[further] = parent[found[further]]
    parent[rows] = found
    return found


def candidates(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Places of pairs, (n, 2), whose hashes differ in fewer than FAR bits; each two once, some at a time."""
    for band in range(BANDS):
        for bucket in equal_runs(bits_of(hashes, band)):
            values, start = hashes[bucket], 0
            while start < len(bucket) - 1:
                stop = start + max(1, BLOCK // (len(bucket) - start))
                differing = values[start:stop, None] ^ values[None, start + 1 :]
                close = np.flatnonzero(np.bitwise_count(differing) < FAR)  # in two dimensions it is slower
                one, other = np.divmod(close, differing.shape[1])
                one, other = one[one <= other], other[one <= other]
                for earlier in range(band):  # which gave those that agree there
                    new = bits_of(differing[one, other], earlier) != 0
                    one, other = one[new], other[new]
                yield bucket[start + np.stack([one, other + 1], 1)]
                start = stop


def bits_of(hashes: np.ndarray, band: int) -> np.ndarray:
    """One of the BANDS parts of each hash."""
    width = BITS * BITS // BANDS
    return (hashes >> np.uint64(width * band)) & np.uint64(2**width - 1)


def correlations(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of small images with others, (n,), each colour about its own mean; 0 where an image is of one colour.

    Both are (n, channels · SMALL²), uint8.
    """
    a, b = (x.reshape(len(x), -1, SMALL**2).astype(np.float32) for x in (some, others))
    a, b = (x - x.mean(2, keepdims=True) for x in (a, b))
    lengths = np.sqrt((a**2).sum((1, 2)) * (b**2).sum((1, 2)))
    found: np.ndarray = (a * b).sum((1, 2)) / np.maximum(lengths, 1e-9)
    return found
