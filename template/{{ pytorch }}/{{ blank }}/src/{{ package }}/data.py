"""The data: scikit-learn's handwritten digits. Put your own in their place.

An image is 8 x 8 pixels (Alpaydin & Kaynak 1998, UCI's Optical Recognition of Handwritten Digits). Its split is a
function of its pixels and of those of images that are nearly the same, so that all of these lie on the same side. Who
wrote an image is not recorded in this copy of the data: the splits share writers, and strangers' handwriting will be
harder than the figures say.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from .engine.core.batch import Batch
from .engine.core.config_io import fingerprint
from .engine.core.errors import Problem
from .engine.splits.dedup import correlated, joined
from .engine.splits.division import Division, split_of
from .engine.splits.leakage import Leakage, Sample, compare
from .engine.splits.splits import SPLITS, Entry, lock

FEATURES = 64
"""Pixels of an image."""
CLASSES = 10
"""The digits."""
BRIGHTEST = 16
"""The largest value of a pixel: a constant, where a scaler would have to be fitted to the training data alone."""
ALIKE = 0.985
"""Images that correlate as much are one. A pixel that is off by a quarter of the range leaves more, and so does another
brightness; six pairs of the digits reach it, and no two of different digits exceed 0.94."""


class Images:
    """One split: `x` is (n, 64) from 0 to 1, `y` the digits."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`x`: (B, 64), float32; `y`: (B,), int64."""
        return {"x": torch.from_numpy(self.x[indices]), "y": torch.from_numpy(self.y[indices])}


class Digits(NamedTuple):
    """The data, split."""

    splits: dict[str, Images]
    sha256: str
    leakage: Leakage
    """What the splits share: nothing, unless the grouping below is changed."""


@cache
def load(division: Division | None = None) -> Digits:
    """The digits.

    Raises:
        Problem: the data are not those of `data.lock.json`.
    """
    pixels, y = load_digits(return_X_y=True)
    x = (pixels / BRIGHTEST).astype(np.float32)
    keys = [fingerprint(image.tobytes()) for image in x]
    pairs = correlated(x, ALIKE)
    groups = joined(keys, pairs)
    split = np.array([split_of(group, division) for group in groups])
    samples = [Sample(f"image {row}", *of) for row, of in enumerate(zip(split.tolist(), keys, groups, strict=True))]
    splits = {name: Images(x[split == name], y[split == name]) for name in SPLITS}
    rows = {name: len(images) for name, images in splits.items()}
    content = x.tobytes() + y.tobytes()
    digest = lock("scikit-learn's digits", [Entry("digits", len(content), fingerprint(content), rows)], division)
    return Digits(splits, digest, compare(samples, pairs, f"correlation of pixels at least {ALIKE}"))


def inputs(images: np.ndarray) -> Tensor:
    """What the model takes, for images of (n, 64) brightnesses from 0 to 16.

    Raises:
        Problem: the images have another shape.
    """
    if images.ndim != 2 or images.shape[1] != FEATURES:
        raise Problem(f"the images have the shape {images.shape}: give {FEATURES} numbers for each, one a row")
    return torch.from_numpy((images / BRIGHTEST).astype(np.float32))
