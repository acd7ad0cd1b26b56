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

    `hashes` is (n,), uint64; `small` is (n, channels · SMALL²), uint8.
    """
    first = dict[tuple[int, str], int]()
    for row, value in enumerate(hashes.tolist()):
        like = first.setdefault((value, fingerprint(small[row].tobytes())), row)
        if like != row:
            yield Pair(like, row, 1.0)
    rows = np.array(sorted(first.values()), dtype=np.int64)
    group = np.arange(len(hashes))
    for one, others in candidates(hashes[rows]):
        row, apart = rows[one], rows[others]
        apart = apart[group[apart] != group[row]]
        if not len(apart):
            continue
        likeness = correlations(small[row], small[apart])
        alike = likeness >= SHARE
        joining, where = np.unique(group[apart[alike]], return_index=True)
        for other, value in zip(apart[alike][where].tolist(), likeness[alike][where].tolist(), strict=True):
            yield Pair(int(row), other, value)
        if len(joining):
            group[np.isin(group, joining)] = group[row]


def candidates(hashes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """A place, and others whose hashes differ from its hash in fewer than FAR bits; each two once."""
    for band in range(BANDS):
        part = bits_of(hashes, band)
        order = np.argsort(part, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
            values = hashes[bucket]
            for place, one in enumerate(bucket.tolist()):
                differing = values[place + 1 :] ^ values[place]
                close = np.flatnonzero(np.bitwise_count(differing) < FAR)
                for earlier in range(band):  # which gave those that agree there
                    close = close[bits_of(differing[close], earlier) != 0]
                if len(close):
                    yield one, bucket[place + 1 :][close]


def bits_of(hashes: np.ndarray, band: int) -> np.ndarray:
    """One of the BANDS parts of each hash."""
    width = BITS * BITS // BANDS
    return (hashes >> np.uint64(width * band)) & np.uint64(2**width - 1)


def correlations(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of a small image with others, (n,), each colour about its own mean; 0 where an image is of one colour.

    `one` is (channels · SMALL²,) and `others` (n, channels · SMALL²), uint8.
    """
    a, b = (x.reshape(len(x), -1, SMALL**2).astype(np.float32) for x in (one[None], others))
    a, b = (x - x.mean(2, keepdims=True) for x in (a, b))
    lengths = np.sqrt((a**2).sum((1, 2)) * (b**2).sum((1, 2)))
    found: np.ndarray = (a * b).sum((1, 2)) / np.maximum(lengths, 1e-9)
    return found
