"""Use a trained run: `load().reconstruct(images)`, `encode`, `decode` and `sample`."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .engine.core.errors import Problem
from .engine.images.decoding import Damaged, decode
from .engine.images.examples import Facts, load_facts
from .engine.images.folders import files_in
from .engine.training.trained import load_run
from .model import Autoencoder
from .presets import Config

TOGETHER = 64
"""Images in one forward pass."""


class Coder:
    """A trained model, and the facts about its images."""

    def __init__(self, model: Autoencoder, facts: Facts) -> None:
        self.model, self.facts = model, facts

    @torch.no_grad()
    def encode(self, images: np.ndarray) -> np.ndarray:
        """The latents, (n, latent), of images of (n, channels, size, size) with pixels from 0 to 1.

        They are the means of q(z | x).

        Raises:
            Problem: the images have another shape, or hold what is no brightness.
        """
        shape = (self.facts.channels, self.facts.size, self.facts.size)
        if images.ndim != 4 or images.shape[1:] != shape:
            raise Problem(f"the images have the shape {images.shape}: give (n, {', '.join(map(str, shape))})")
        if not (np.isfinite(images).all() and images.min(initial=0) >= 0 and images.max(initial=0) <= 1):
            raise Problem("the images hold values that are missing, or outside 0 to 1")
        return self.joined([self.model.encode(x)[0] for x in self.batches(images)])

    @torch.no_grad()
    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Images, (n, channels, size, size) with pixels from 0 to 1, of latents, (n, latent).

        Raises:
            Problem: the latents have another shape, or are not finite.
        """
        number = self.model.config.latent
        if latents.ndim != 2 or latents.shape[1] != number:
            raise Problem(f"the latents have the shape {latents.shape}: give (n, {number})")
        if not np.isfinite(latents).all():
            raise Problem("the latents hold values that are missing or infinite")
        return self.joined([self.model.decode(z).clamp(0, 1) for z in self.batches(latents)])

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """The images, encoded and decoded.

        Raises:
            Problem: the images have another shape, or hold what is no brightness.
        """
        return self.decode(self.encode(images))

    def sample(self, number: int, seed: int = 0) -> np.ndarray:
        """New images, decoded from draws of the prior, N(0, I); image i of a seed does not depend on `number`.

        Raises:
            Problem: the model is deterministic: nothing says where its latents lie.
        """
        if not self.model.config.variational:
            raise Problem("this run is deterministic and has no prior to sample: train one with --model.variational")
        return self.decode(np.random.default_rng(seed).standard_normal((number, self.model.config.latent)))

    def pixels(self, paths: Iterable[Path]) -> tuple[list[Path], np.ndarray]:
        """The image files, also those in folders, and the images as training saw them, from 0 to 1.

        Raises:
            Problem: a path is missing, holds no image, or a file is damaged.
        """
        files = [file for path in paths for file in files_in(path)]
        return files, np.stack([self.read(file) for file in files])

    def read(self, file: Path) -> np.ndarray:
        """One image, (channels, size, size)."""
        try:
            return decode(file.read_bytes(), self.facts.size, self.facts.channels).astype(np.float32) / 255
        except OSError as error:
            raise Problem(f"cannot read {file}: {error.strerror or error}") from None
        except Damaged as damage:
            raise Problem(f"{file} is no whole image: {damage}") from None

    def batches(self, rows: np.ndarray) -> Iterable[Tensor]:
        """Some rows at a time, on the model's device."""
        device = next(self.model.parameters()).device
        for start in range(0, max(1, len(rows)), TOGETHER):
            yield torch.from_numpy(rows[start : start + TOGETHER].astype(np.float32)).to(device)

    def joined(self, parts: list[Tensor]) -> np.ndarray:
        """What was computed of the batches, as one array."""
        whole: np.ndarray = torch.cat(parts).cpu().numpy()
        return whole


def load(run: str | Path | None = None) -> Coder:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder, _, model = load_run(run, Config)
    assert isinstance(model, Autoencoder)
    return Coder(model, load_facts(folder))
