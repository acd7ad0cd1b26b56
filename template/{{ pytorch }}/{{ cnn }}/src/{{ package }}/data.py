"""The data: scikit-learn's handwritten digits, split in one of two ways, and what training does to them.

An image is 8 x 8 pixels. This copy is the test set of UCI's Optical Recognition of Handwritten Digits (Alpaydin &
Kaynak 1998), which 13 people wrote. The file does not name them, but it is in the order of their forms: its labels
repeat one sequence of about 130 digits fourteen times.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

from .config import DataConfig
from .engine.core.batch import Batch
from .engine.core.config_io import fingerprint
from .engine.core.errors import Problem
from .engine.splits.dedup import correlated, joined
from .engine.splits.division import Division
from .engine.splits.leakage import Leakage, Sample, compare
from .engine.splits.splits import SPLITS, Entry, lock

BRIGHTEST = 16
"""The largest value of a pixel: a constant, where a scaler would have to be fitted to the training data alone."""
SIDE = 8
"""Pixels along an image."""
ALIKE = 0.985
"""Images that correlate as much are one: six pairs of the digits, and no two of different digits exceed 0.94."""
SHARES = (0.6, 0.8)
"""Where a class's validation and test images begin. A fifth is 360 images: one is 0.3 % of them."""
FORMS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
"""Where each form begins."""
HELD_OUT = (8, 11)
"""The first form for validation and the first for the test: eight are for training, and three for each of these."""


class Images:
    """One split: `x` is (n, 1, 8, 8) from 0 to 1, `y` the digits."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`x`: (B, 1, 8, 8), float32; `y`: (B,), int64."""
        return {"x": torch.from_numpy(self.x[indices]), "y": torch.from_numpy(self.y[indices])}


class TrainingImages(Images):
    """The training split as it is drawn: turned and shifted anew each time, and perhaps every class equally often."""

    def __init__(self, images: Images, config: DataConfig) -> None:
        super().__init__(images.x, images.y)
        self.config = config
        self.by_class = np.argsort(self.y, kind="stable")
        self.starts, self.counts = np.unique(self.y[self.by_class], return_index=True, return_counts=True)[1:]

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        if noise is None:
            return super().batch(indices, None)
        if self.config.balanced:
            indices = self.balanced(indices, noise)
        batch = super().batch(indices, noise)
        amounts = torch.from_numpy(noise.uniform(-1, 1, (3, len(indices))).astype(np.float32))
        if self.config.shift or self.config.rotation:
            batch["x"] = moved(batch["x"], amounts[0] * self.config.rotation, amounts[1:] * self.config.shift)
        return batch

    def balanced(self, indices: np.ndarray, noise: np.random.Generator) -> np.ndarray:
        """Other indices: index i asks for class i modulo the number of classes, and `noise` draws one of its images.

        An epoch asks for each index once, so it shows every class equally often; and as order and noise are functions
        of seed and step, so is what is drawn.
        """
        classes = indices % len(self.starts)
        drawn = np.floor(noise.random(len(indices)) * self.counts[classes]).astype(np.int64)
        return self.by_class[self.starts[classes] + drawn]


def moved(
    x: Float[Tensor, "B 1 Y X"], degrees: Float[Tensor, " B"], pixels: Float[Tensor, "2 B"]
) -> Float[Tensor, "B 1 Y X"]:
    """Each image turned clockwise, then shifted to the right and down; interpolated, and black where nothing was."""
    radians, (right, down) = torch.deg2rad(degrees), pixels * (2 / SIDE)
    cos, sin = radians.cos(), radians.sin()
    # Where each pixel of the result is taken from: the inverse of the motion.
    rows = (cos, sin, -cos * right - sin * down), (-sin, cos, sin * right - cos * down)
    inverse = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = functional.affine_grid(inverse, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def class_weights(y: np.ndarray, classes: int) -> np.ndarray:
    """N / (K n_c) of each class, whose mean over the examples is 1 (King & Zeng 2001); 1 where a class is absent."""
    counts = np.bincount(y, minlength=classes)
    return np.where(counts > 0, len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 1.0)


def stratified(groups: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The split of each image: within each class by rank of its group's hash, so that a group lies together."""
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    split_of_group = np.empty(len(first), dtype=object)
    for digit in np.unique(y):
        groups = np.flatnonzero(y[first] == digit)
        parts = np.split(groups, [round(share * len(groups)) for share in SHARES])
        for name, part in zip(SPLITS, parts, strict=True):
            split_of_group[part] = name
    return split_of_group[group]


def by_writer(groups: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The split of each image: whole forms, in the order of the file."""
    return np.array(SPLITS, dtype=object)[np.searchsorted(HELD_OUT, forms(len(y)), side="right")]


def forms(count: int) -> np.ndarray:
    """The number of the form of each of so many images."""
    return np.searchsorted(FORMS, np.arange(count), side="right") - 1


def divided(division: Division, split: str, groups: np.ndarray, sides: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sides that an experiment chose instead: of whole groups, as many of each class, or of whole forms."""
    units, strata = (groups, y) if split == "stratified" else (forms(len(y)).astype(str), np.zeros_like(y))
    return np.array(division.deal(units.tolist(), sides.tolist(), strata.tolist()), dtype=object)


def in_its_last_split(groups: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Whether each image is kept: of a group that two splits hold, the later one's, so that the test is whole."""
    rank = 1 * (sides == "validation") + 2 * (sides == "test")
    _, group = np.unique(groups, return_inverse=True)
    last = np.zeros(group.max() + 1, dtype=np.int64)
    np.maximum.at(last, group, rank)
    return rank == last[group]


class Digits(NamedTuple):
    """The data, split."""

    splits: dict[str, Images]
    sha256: str
    leakage: Leakage
    """What the splits share: nothing, unless the grouping below is changed."""


@cache
def load(split: str, classes: tuple[int, ...] = (), division: Division | None = None) -> Digits:
    """The digits, or those of some classes; an image's split does not depend on `classes`.

    Raises:
        Problem: the data are not those of `data.lock.json`.
    """
    pixels, y = load_digits(return_X_y=True)
    x = (pixels / BRIGHTEST).astype(np.float32).reshape(-1, 1, SIDE, SIDE)
    keys = [fingerprint(image.tobytes()) for image in x]
    pairs = correlated(x.reshape(len(x), -1), ALIKE)
    groups = np.array(joined(keys, pairs))
    sides = (stratified if split == "stratified" else by_writer)(groups, y)
    if division:
        sides = divided(division, split, groups, sides, y)
    whole = in_its_last_split(groups, sides) & np.isin(sides, SPLITS)
    kept = whole & np.isin(y, classes or np.unique(y))
    splits = {name: Images(x[kept & (sides == name)], y[kept & (sides == name)]) for name in SPLITS}
    source = f"scikit-learn's digits{''.join(f' {digit}' for digit in sorted(classes))}, {split}"
    content = b"".join(images.x.tobytes() + images.y.tobytes() for images in splits.values())
    rows = {name: len(images) for name, images in splits.items()}
    digest = lock(source, [Entry("digits", len(content), fingerprint(content), rows)], division)
    return Digits(splits, digest, shared(whole, sides, keys, groups))


def shared(whole: np.ndarray, sides: np.ndarray, keys: Sequence[str], groups: np.ndarray) -> Leakage:
    """What the splits share of the images that are kept."""
    samples = [
        Sample(f"image {row}", str(sides[row]), keys[row], str(groups[row])) for row in np.flatnonzero(whole).tolist()
    ]
    return compare(samples, [], f"correlation of pixels at least {ALIKE}")


def inputs(images: np.ndarray) -> Tensor:
    """What the model takes, for images of (n, 64) brightnesses from 0 to 16.

    Raises:
        Problem: the images have another shape.
    """
    if images.ndim != 2 or images.shape[1] != SIDE**2:
        raise Problem(f"the images have the shape {images.shape}: give {SIDE**2} numbers for each, one a row")
    return torch.from_numpy((images / BRIGHTEST).astype(np.float32)).view(-1, 1, SIDE, SIDE)
