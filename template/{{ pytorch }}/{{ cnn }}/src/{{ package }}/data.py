"""The data: scikit-learn's digits, or images of your own by `--data.path`, and what training does to them."""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .config import DataConfig
from .engine.core.batch import Batch
from .engine.images.digits import digits
from .engine.images.examples import ImageData, Images, mirrored
from .engine.images.reading import read
from .engine.splits.division import Division


@cache
def load(config: DataConfig, division: Division | None = None) -> ImageData:
    """The images, split.

    Raises:
        Problem: they cannot be read, or are not those of `data.lock.json`.
    """
    return digits(config, division) if config.path is None else read(config, division)


class TrainingImages(Images):
    """The training split as it is drawn: turned, shifted and mirrored anew, and perhaps each class equally often."""

    def __init__(self, images: Images, config: DataConfig) -> None:
        super().__init__(images.pixels, images.rows, images.y, images.brightest, images.captions)
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
        if self.config.flip:
            batch["x"] = mirrored(batch["x"], noise)
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
    x: Float[Tensor, "B C Y X"], degrees: Float[Tensor, " B"], share: Float[Tensor, "2 B"]
) -> Float[Tensor, "B C Y X"]:
    """Each image turned clockwise, then shifted to the right and down by a share of its side.

    It is interpolated, and black where nothing was.
    """
    radians, (right, down) = torch.deg2rad(degrees), share * 2
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
