"""Classify images with a trained run: `load().classify([Path("photo.jpg")])`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .engine.core.errors import Problem
from .engine.images.decoding import Damaged, decode
from .engine.images.examples import Facts, load_facts
from .engine.images.folders import files_in
from .engine.training.trained import load_run
from .presets import Config

TOGETHER = 64
"""Images in one forward pass."""


class Classifier:
    """A trained model, and the facts about its images."""

    def __init__(self, model: nn.Module, facts: Facts) -> None:
        self.model, self.facts = model, facts

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self.facts.classes

    @torch.no_grad()
    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes), for images of (n, channels, size, size) with pixels from 0 to 1.

        Raises:
            Problem: the images have another shape, or hold what is no brightness.
        """
        shape = (self.facts.channels, self.facts.size, self.facts.size)
        if images.ndim != 4 or images.shape[1:] != shape:
            raise Problem(f"the images have the shape {images.shape}: give (n, {', '.join(map(str, shape))})")
        if not (np.isfinite(images).all() and images.min(initial=0) >= 0 and images.max(initial=0) <= 1):
            raise Problem("the images hold values that are missing, or outside 0 to 1")
        x = torch.from_numpy(images.astype(np.float32)).to(next(self.model.parameters()).device)
        found: np.ndarray = self.model(x).softmax(1).cpu().numpy()
        return found

    def classify(self, paths: Iterable[Path]) -> Iterator[tuple[Path, np.ndarray]]:
        """Each image file, and each in a folder, with its probabilities, (classes,).

        Raises:
            Problem: a path is missing, holds no image, or a file is damaged.
        """
        files = [file for path in paths for file in files_in(path)]
        for start in range(0, len(files), TOGETHER):
            some = files[start : start + TOGETHER]
            yield from zip(some, self.probabilities(np.stack([self.pixels(file) for file in some])), strict=True)

    def pixels(self, file: Path) -> np.ndarray:
        """An image as training saw it, (channels, size, size) from 0 to 1."""
        try:
            return decode(file.read_bytes(), self.facts.size, self.facts.channels).astype(np.float32) / 255
        except OSError as error:
            raise Problem(f"cannot read {file}: {error.strerror or error}") from None
        except Damaged as damage:
            raise Problem(f"{file} is no whole image: {damage}") from None


def load(run: str | Path | None = None) -> Classifier:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder, _, model = load_run(run, Config)
    return Classifier(model, load_facts(folder))
