"""Multi-query associative recall: pairs of a key and a value, then keys, each of which asks for its value.

The construction is that of Zoology (Arora et al. 2023, arXiv:2312.04927): no key occurs in two pairs, and the places of
the queries follow a power law, so that most come soon. Two things differ. `gap` further tokens stand between the pairs
and the first place of a query, so that a window of `gap` tokens never reaches from a query to its pair. And the tokens
in between are any but the example's keys, so that nothing but a query asks and no pair is written twice.

    tokens      k1 v1 k2 v2 | gap | . k2 . . . k1 . .
    targets      .  .  .  . |  .  | . v2 . . . v1 . .

An example is a function of (seed, split, index) and stored nowhere. Its split is that of the hash of its pairs, as for
any other data: so no two splits share their pairs, in whatever order they stand.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ...engine.core.batch import Batch
from ...engine.core.config_io import fingerprint
from ...engine.core.errors import Problem
from ...engine.splits.division import Division, split_of
from ...engine.splits.leakage import Leakage, Sample, compare
from ...engine.splits.splits import SPLITS, Entry, lock
from ...engine.training.seeding import derive_seed

IGNORED = -100
"""The target where nothing is asked, which PyTorch's cross-entropy leaves out."""
POWER = 0.01
"""Exponent a of the law p(place) ~ place^(a - 1); 1 would be uniform. Zoology's own."""
TRIES = 1000
"""A split takes a tenth of all examples or more: missing it so often has a probability of 1e-46."""
ODD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio, the step of SplitMix64."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an example looks like."""

    vocab_size: int
    """Tokens: from 1 on keys, from the middle on values; 0 is neither."""
    length: int
    """Tokens of an example."""
    pairs: int
    """Pairs of a key and its value; each is asked for once."""
    gap: int
    """Tokens between the pairs and the first place of a query."""

    def __post_init__(self) -> None:
        if self.pairs < 1 or self.gap < 0:
            raise Problem(f"{self.pairs} pairs and a gap of {self.gap}: at least 1 and 0")
        if self.places < self.pairs:
            least = 4 * self.pairs + self.gap
            raise Problem(
                f"{self.length} tokens do not hold {self.pairs} pairs, a gap of {self.gap} and the queries: "
                f"give at least {least}"
            )
        if min(self.keys, self.values) < self.pairs:
            raise Problem(
                f"a vocabulary of {self.vocab_size} does not hold {self.pairs} keys and values: "
                f"give at least {2 * self.pairs + 2}"
            )

    @property
    def keys(self) -> int:
        return self.vocab_size // 2 - 1

    @property
    def values(self) -> int:
        return self.vocab_size - self.vocab_size // 2

    @property
    def start(self) -> int:
        """The first place of a query."""
        return 2 * self.pairs + self.gap

    @property
    def places(self) -> int:
        """Where a query may stand: at every second token."""
        return (self.length - self.start) // 2


class Recall:
    """One split: `count` examples, made when they are asked for."""

    def __init__(self, shape: Shape, split: str, count: int, seed: int, division: Division | None = None) -> None:
        self.shape, self.split, self.count, self.division = shape, split, count, division
        self.start = np.uint64(derive_seed(seed, "recall", split))

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`tokens` and `targets`: (B, T), int64; a target is -100 where nothing is asked."""
        shape, row = self.shape, np.arange(len(indices))[:, None]
        keys, values = self.pairs(indices)
        u = uniform(self.states(indices, TRIES), shape.places + shape.length)
        tokens = np.floor(u[:, shape.places :] * shape.vocab_size).astype(np.int64)
        tokens[(tokens[:, :, None] == keys[:, None, :]).any(2)] = 0
        tokens[:, 0 : 2 * shape.pairs : 2], tokens[:, 1 : 2 * shape.pairs : 2] = keys, values
        asked = shape.start + 2 * places(u[:, : shape.places], shape.pairs)
        targets = np.full_like(tokens, IGNORED)
        tokens[row, asked], targets[row, asked] = keys, values
        return {"tokens": torch.from_numpy(tokens), "targets": torch.from_numpy(targets)}

    def pairs(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keys and values, (N, pairs) each, of these examples: drawn until their hash lies in this split.

        Raises:
            Problem: hardly any do.
        """
        drawn = np.empty((2, len(indices), self.shape.pairs), dtype=np.int64)
        left = np.arange(len(indices))
        for attempt in range(TRIES):
            drawn[:, left] = random_pairs(self.shape, self.states(indices[left], attempt))
            left = left[[split_of(group, self.division) != self.split for group in groups(*drawn[:, left])]]
            if not len(left):
                return drawn[0], drawn[1]
        raise Problem(f"too few different pairs for a {self.split} split: raise the vocabulary or the number of pairs")

    def states(self, indices: np.ndarray, use: int) -> np.ndarray:
        """Where the random numbers of each example begin."""
        return mixed(mixed(self.start + ODD * indices.astype(np.uint64)) + np.uint64(use))


def random_pairs(shape: Shape, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different keys, and different values, in any order."""
    u = np.split(uniform(states, 4 * shape.pairs), 4, axis=1)
    keys, values = distinct(u[0], shape.keys), distinct(u[1], shape.values)
    keys, values = (np.take_along_axis(x, v.argsort(1), 1) for x, v in ((keys, u[2]), (values, u[3])))
    return keys + 1, values + shape.vocab_size // 2


def groups(keys: np.ndarray, values: np.ndarray) -> list[str]:
    """Hashes of the pairs of each example, whatever their order."""
    pairs = np.sort(keys << 32 | values, axis=1)
    return [fingerprint(row.tobytes()) for row in pairs]


def distinct(u: np.ndarray, choices: int) -> np.ndarray:
    """Different numbers below `choices`, as many in a row as `u` has, every set as probable (Bentley & Floyd 1987)."""
    chosen = np.empty(u.shape, dtype=np.int64)
    for place in range(u.shape[1]):
        last = choices - u.shape[1] + place
        one = np.floor(u[:, place] * (last + 1)).astype(np.int64)
        known = (chosen[:, :place] == one[:, None]).any(1)
        chosen[:, place] = np.where(known, last, one)
    return chosen


def places(u: np.ndarray, count: int) -> np.ndarray:
    """The first `count` places to be drawn without putting back, each with p(place) ~ (place + 1)^(POWER - 1).

    The earliest of exponential times with these rates is such a draw (Efraimidis & Spirakis 2006).
    """
    rates = np.arange(1, u.shape[1] + 1) ** (POWER - 1)
    return (-np.log1p(-u) / rates).argsort(1)[:, :count]


def mixed(x: np.ndarray) -> np.ndarray:
    """Numbers that differ in one bit differ in about half of them afterwards (SplitMix64, Steele et al. 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ x >> np.uint64(shift)) * np.uint64(factor)
    return x ^ x >> np.uint64(31)


def uniform(states: np.ndarray, count: int) -> np.ndarray:
    """(N, count) numbers in [0, 1), each a function of its row's state and its place."""
    return (mixed(states[:, None] + ODD * np.arange(1, count + 1, dtype=np.uint64)) >> np.uint64(11)) * 2.0**-53


class Recalls(NamedTuple):
    """The data, split."""

    splits: dict[str, Recall]
    sha256: str
    leakage: Leakage
    """What the splits share: nothing, unless they are drawn otherwise."""


def prepare(shape: Shape, count: int, seed: int, division: Division | None = None) -> Recalls:
    """`count` examples in all, a tenth of them in each held-out split.

    Raises:
        Problem: there are too few different ones, or they are not those of `data.lock.json`.
    """
    held_out = max(count // 10, 1)
    sizes = dict(zip(SPLITS, (count - 2 * held_out, held_out, held_out), strict=True))
    splits = {split: Recall(shape, split, size, seed, division) for split, size in sizes.items()}
    samples = [
        Sample(f"example {row}", split, group, group)
        for split, examples in splits.items()
        for row, group in enumerate(groups(*examples.pairs(np.arange(len(examples)))))
    ]
    content = "".join(sample.key for sample in samples)
    entry = Entry("examples", len(content), fingerprint(content), sizes)
    digest = lock(f"associative recall, {shape}, {count} examples, seed {seed}", [entry], division)
    return Recalls(splits, digest, compare(samples, [], "equal pairs in any order"))


def baselines(train: Recall, held_out: Recall, reach: int) -> dict[str, float]:
    """Share of the queries that are answered right without a memory; `reach` tokens back, itself included, are seen."""
    shape = held_out.shape
    values = train.pairs(np.arange(len(train)))[1]
    batch = held_out.batch(np.arange(len(held_out)), np.random.default_rng(0))
    row, at = np.nonzero(batch["targets"].numpy() != IGNORED)
    asked, answers = batch["tokens"].numpy()[row, at], batch["targets"].numpy()[row, at]
    key_at = 2 * (batch["tokens"].numpy()[row, 0 : 2 * shape.pairs : 2] == asked[:, None]).argmax(1)
    seen = (at - key_at < reach).mean()
    return {
        "any value": 1 / shape.values,
        "most frequent value": float((answers == np.bincount(values.ravel()).argmax()).mean()),
        "any value of the example": 1 / shape.pairs,
        f"looking up {reach} tokens back": float(seen + (1 - seen) / shape.values),
    }
