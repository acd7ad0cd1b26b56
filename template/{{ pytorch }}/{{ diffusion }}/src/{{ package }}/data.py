"""The data: scikit-learn's digits, or images of your own by `--data.path`, each with the noise that is added to it."""

from functools import cache

import numpy as np
import torch

from .config import DataConfig, DiffusionConfig
from .engine.core.batch import Batch
from .engine.images.digits import digits
from .engine.images.examples import ImageData, Images, mirrored
from .engine.images.placing import NO_CLASS
from .engine.images.reading import read
from .engine.splits.division import Division


@cache
def load(config: DataConfig, division: Division | None = None) -> ImageData:
    """The images, split.

    Raises:
        Problem: they cannot be read, or are not those of `data.lock.json`.
    """
    return digits(config, division) if config.path is None else read(config, division)


class NoisyImages(Images):
    """One split, each image with a time and the noise that is added by then.

    A training draws them anew, mirrors images, and hides some classes. Otherwise an image always has the same, whatever
    the batch: they are keyed by its index.
    """

    def __init__(self, images: Images, data: DataConfig, diffusion: DiffusionConfig, nothing: int) -> None:
        """`nothing` is the class that stands for none."""
        y = np.where(images.y == NO_CLASS, nothing, images.y)
        super().__init__(images.pixels, images.rows, y, images.brightest, images.captions)
        self.flips, self.steps, self.drop, self.nothing = data.flip, diffusion.steps, diffusion.label_drop, nothing

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`x`: (B, C, Y, X), float32 from 0 to 1; `y`: (B,), int64; `t`: (B,), int64, 1 to T; `noise`, like `x`."""
        batch = super().batch(indices, noise)
        shape = tuple(batch["x"].shape[1:])
        if noise is None:
            drawn = [drawn_for(index, self.steps, shape) for index in indices.tolist()]
            t, added = np.array([time for time, _ in drawn]), np.stack([one for _, one in drawn])
        else:
            t = noise.integers(1, self.steps + 1, len(indices))
            added = noise.standard_normal((len(indices), *shape), dtype=np.float32)
            hidden = torch.from_numpy(noise.random(len(indices)) < self.drop)
            batch["y"] = batch["y"].masked_fill(hidden, self.nothing)
            if self.flips:
                batch["x"] = mirrored(batch["x"], noise)
        return batch | {"t": torch.from_numpy(t), "noise": torch.from_numpy(added)}


def drawn_for(index: int, steps: int, shape: tuple[int, ...]) -> tuple[int, np.ndarray]:
    """The time and the noise of an image that is measured."""
    noise = np.random.default_rng(index)
    return int(noise.integers(1, steps + 1)), noise.standard_normal(shape, dtype=np.float32)
