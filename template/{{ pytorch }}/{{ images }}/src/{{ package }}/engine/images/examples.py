"""One split of images, and the facts about all of them that a model is made by."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core.batch import Batch
from ..core.files import write_atomically
from ..core.json_io import read_json
from ..splits.leakage import Leakage
from .on_demand import OnDemand

FACTS = "images.json"
"""The file of a run with its facts."""
CHUNK = 2**22
"""Brightnesses that are looked at together where all are: of 1,365 images of 32 x 32 pixels in colour."""


class OnDisk(NamedTuple):
    """Pixels that another process opens."""

    file: str
    shape: tuple[int, ...]


class Images:
    """One split, whose pixels may lie on the disk."""

    def __init__(
        self,
        pixels: np.ndarray | OnDemand,
        rows: np.ndarray,
        y: np.ndarray,
        brightest: int,
        captions: tuple[str, ...] = (),
    ) -> None:
        """`pixels`, (N, C, Y, X), uint8 up to `brightest`, are of all splits; `rows` of this one, with classes `y`."""
        self.pixels, self.rows, self.y, self.brightest, self.captions = pixels, rows, y, brightest, captions

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`x`: (B, C, Y, X), float32 from 0 to 1; `y`: (B,), int64."""
        x = self.pixels[self.rows[indices]].astype(np.float32) / self.brightest
        return {"x": torch.from_numpy(x), "y": torch.from_numpy(self.y[indices])}

    def chunks(self, most: int | None = None) -> list[np.ndarray]:
        """The indices of all images, some at a time; of `most` that lie evenly, where there are more."""
        chosen = np.arange(len(self))
        if most is not None and len(self) > most:
            chosen = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        together = max(1, CHUNK // math.prod(self.pixels.shape[1:]))
        return np.split(chosen, range(together, len(chosen), together))

    def __getstate__(self) -> dict[str, object]:
        """For another process: where its pixels lie on the disk, and not all of them."""
        state = vars(self)
        if isinstance(self.pixels, np.memmap):
            return state | {"pixels": OnDisk(str(self.pixels.filename), self.pixels.shape)}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(self.pixels, OnDisk):
            self.pixels = np.memmap(self.pixels.file, np.uint8, "r", shape=self.pixels.shape)


def mirrored(x: Tensor, noise: np.random.Generator) -> Tensor:
    """Images, (B, C, Y, X), of which `noise` draws half to have left and right exchanged."""
    drawn = torch.from_numpy(noise.random(len(x)) < 0.5)
    return torch.where(drawn[:, None, None, None], x.flip(3), x)


class Facts(NamedTuple):
    """What a model must know of its images before it sees one."""

    classes: tuple[str, ...]
    """Their names, in the order of the labels; none where images have no class."""
    channels: int
    size: int
    """Pixels along the side."""
    mean: tuple[float, ...]
    """Of each channel, over the training split."""
    std: tuple[float, ...]


class ImageData(NamedTuple):
    """The data, split."""

    splits: dict[str, Images]
    facts: Facts
    sha256: str
    leakage: Leakage
    """What the splits share: nothing, unless the grouping is changed."""


def sums_of(pixels: np.ndarray) -> np.ndarray:
    """Of each channel of an image, (C, Y, X), uint8, the sum of its values and of their squares, (C, 2), uint64."""
    values = pixels.reshape(len(pixels), -1).astype(np.uint32)
    return np.stack([values.sum(1, dtype=np.uint64), (values**2).sum(1, dtype=np.uint64)], 1)


def spread(sums: np.ndarray, count: int, brightest: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, over all pixels of some images, from 0 to 1.

    `sums`, (n, C, 2), are what `sums_of` gives of each; a channel of one has `count` pixels.
    """
    total, squares = (sums.sum(0) / (len(sums) * count)).T  # of whole numbers: in any order the same
    mean = total / brightest
    std = np.sqrt(np.maximum(squares / brightest**2 - mean**2, 1e-8))
    return tuple(mean.tolist()), tuple(std.tolist())


def save_facts(facts: Facts, run: Path) -> None:
    """Keep them with a run, which is used where its data are not."""
    write_atomically(run / FACTS, json.dumps(facts._asdict(), indent=1) + "\n")


def load_facts(run: Path) -> Facts:
    """Those of a run.

    Raises:
        Problem: they are missing or damaged.
    """
    saved = read_json(run / FACTS, *Facts._fields)
    return Facts(tuple(saved["classes"]), saved["channels"], saved["size"], tuple(saved["mean"]), tuple(saved["std"]))
