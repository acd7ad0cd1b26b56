"""The data: scikit-learn's digits, or images of your own by `--data.path`, with or without classes.

Training images are not turned or shifted: on small images, resampled training images made the reconstructions worse.
"""

from functools import cache

import numpy as np

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
    """The training split as it is drawn: each image mirrored, or not, anew."""

    def __init__(self, images: Images, config: DataConfig) -> None:
        super().__init__(images.pixels, images.rows, images.y, images.brightest, images.captions)
        self.config = config

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        batch = super().batch(indices, noise)
        if noise is not None and self.config.flip:
            batch["x"] = mirrored(batch["x"], noise)
        return batch
