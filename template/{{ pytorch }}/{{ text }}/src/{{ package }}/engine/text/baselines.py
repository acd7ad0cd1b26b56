"""What simple methods reach on the same text, in bits per byte.

Each predicts or compresses the held-out bytes. `order_0` and the compressors without training text see nothing else;
Witten-Bell and the conditioned xz have read the training text first, as the model has.
"""

import json
import lzma
import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..core.cache import kept
from .tokens import Text

MOST = 32 * 2**20
"""Training text beyond this many bytes, and held-out text beyond a quarter of them, is left out: the baselines of a
large corpus should not take hours."""


def baselines(train: bytes, held_out: bytes) -> dict[str, float]:
    """Bits per byte of every baseline."""
    train, held_out = train[:MOST], held_out[: MOST // 4]
    with ThreadPoolExecutor() as pool:
        conditioned = pool.submit(xz_conditioned, train, held_out)
        n_grams = witten_bell(train, held_out, 5)
        return {
            "order-0 entropy": order_0(held_out),
            "gzip": 8 * len(zlib.compress(held_out, 9)) / len(held_out),
            "Witten-Bell order 3": n_grams[3],
            "Witten-Bell order 5": n_grams[5],
            "xz after the training text": conditioned.result(),
        }


def cached_baselines(text: Text, split: str) -> dict[str, float]:
    """The baselines of a prepared text on a split, computed once."""

    def make(folder: Path) -> None:
        values = baselines(text.bytes("train"), text.bytes(split))
        (folder / "bits.json").write_bytes(json.dumps(values).encode())

    folder = kept(f"{text.folder.name}-{split}-baselines", "", make)
    kept_values: dict[str, float] = json.loads((folder / "bits.json").read_bytes())
    return kept_values


def order_0(text: bytes) -> float:
    """Entropy of the byte frequencies, which the text itself supplies."""
    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=256)
    p = counts[counts > 0] / len(text)
    return float(-(p * np.log2(p)).sum())


def witten_bell(train: bytes, held_out: bytes, order: int) -> list[float]:
    """Byte n-gram models of order 0 to `order` with Witten-Bell interpolation (Chen & Goodman 1998, equation 14).

    p_k(s | c) = (N(c s) + T(c) p_{k-1}(s | c')) / (N(c) + T(c)), with N the count of a context or of a symbol after
    it, T the number of different symbols seen after it, c' the context without its oldest byte, and p_{-1} = 1/256.
    """
    p = np.full(len(held_out), 1 / 256)
    bits = []
    for k in range(order + 1):
        seen, asked = _contexts(train, k), _contexts(held_out, k)
        pairs, pair_counts = np.unique(seen, return_counts=True)
        contexts, first = np.unique(pairs >> 8, return_index=True)
        types = np.diff(np.append(first, len(pairs)))
        totals = np.add.reduceat(pair_counts, first)
        n_pair = _look_up(pairs, pair_counts, asked)
        n, t = _look_up(contexts, totals, asked >> 8), _look_up(contexts, types, asked >> 8)
        known = n > 0
        tail = p[k:]
        tail[known] = (n_pair[known] + t[known] * tail[known]) / (n[known] + t[known])
        bits.append(float(-np.log2(p).mean()))
    return bits


def _contexts(text: bytes, k: int) -> np.ndarray:
    """Each byte together with the k before it, as one number."""
    values = np.frombuffer(text, np.uint8).astype(np.uint64)
    packed = np.zeros(len(values) - k, np.uint64)
    for offset in range(k + 1):
        packed = packed << np.uint64(8) | values[offset : len(values) - k + offset]
    return packed


def _look_up(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """values[i] where keys[i] is asked for, 0 where no key is."""
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[places] == asked, values[places], 0)


def xz_conditioned(train: bytes, held_out: bytes) -> float:
    """What the held-out text adds to the size of the training text under xz, with a window over both."""
    window = 2 ** math.ceil(math.log2(max(len(train) + len(held_out), 4096)))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": window}]
    with ThreadPoolExecutor(2) as pool:
        both, alone = pool.map(lambda text: len(lzma.compress(text, filters=filters)), (train + held_out, train))
    return 8 * (both - alone) / len(held_out)
