"""The data: scikit-learn's handwritten digits. Put your own in their place.

An image is 8 x 8 pixels (Alpaydin & Kaynak 1998, UCI's Optical Recognition of Handwritten Digits). Its split is a
function of its pixels, so that equal images lie on the same side. Who wrote an image is not recorded in this copy of
the data: the splits share writers, and strangers' handwriting will be harder than the figures say.
"""

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from .errors import Problem
from .seam import Batch
from .settings import fingerprint
from .splits import SPLITS, Entry, lock, split_of

FEATURES = 64
"""Pixels of an image."""
BRIGHTEST = 16
"""The largest value of a pixel: a constant, where a scaler would have to be fitted to the training data alone."""


class Images:
    """One split: `x` is (n, 64) from 0 to 1, `y` the digits."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: np.ndarray, noise: np.random.Generator) -> Batch:
        """`x`: (B, 64), float32; `y`: (B,), int64."""
        return {"x": torch.from_numpy(self.x[indices]), "y": torch.from_numpy(self.y[indices])}


@cache
def load() -> tuple[dict[str, Images], str]:
    """Every split, and the hash that identifies the data.

    Raises:
        Problem: the data are not those of `data.lock.json`.
    """
    pixels, y = load_digits(return_X_y=True)
    x = (pixels / BRIGHTEST).astype(np.float32)
    split = np.array([split_of(fingerprint(image.tobytes())) for image in x])
    splits = {name: Images(x[split == name], y[split == name]) for name in SPLITS}
    rows = {name: len(images) for name, images in splits.items()}
    content = x.tobytes() + y.tobytes()
    return splits, lock("scikit-learn's digits", [Entry("digits", len(content), fingerprint(content), rows)])


def inputs(images: np.ndarray) -> Tensor:
    """What the model takes, for images of (n, 64) brightnesses from 0 to 16.

    Raises:
        Problem: the images have another shape.
    """
    if images.ndim != 2 or images.shape[1] != FEATURES:
        raise Problem(f"the images have the shape {images.shape}: give {FEATURES} numbers for each, one a row")
    return torch.from_numpy((images / BRIGHTEST).astype(np.float32))
