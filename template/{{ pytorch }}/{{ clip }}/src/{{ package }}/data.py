"""The data: drawn scenes with captions, or images and captions of your own by `--data.path`."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer

from .config import DataConfig
from .engine.core.batch import Batch
from .engine.images.captions import (
    Statements,
    encode,
    own_statements,
    require_captions,
    tell_of_cut,
    train_tokenizer,
)
from .engine.images.examples import ImageData, Images, mirrored
from .engine.images.reading import read
from .engine.images.scenes import scenes
from .engine.splits.division import Division
from .engine.splits.splits import Training


class Pairs(Images):
    """One split: images, the tokens of their captions, and what the captions say."""

    def __init__(self, images: Images, tokens: np.ndarray, statements: Statements) -> None:
        super().__init__(images.pixels, images.rows, images.y, images.brightest, images.captions)
        self.tokens, self.statements = tokens, statements

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`x`: (B, C, Y, X), `y`: (B,), `tokens`: (B, L); `contents`, `said`: (B, A), what is so and what is told."""
        rows = self.rows[indices]
        return super().batch(indices, noise) | {
            "tokens": torch.from_numpy(self.tokens[indices]),
            "contents": torch.from_numpy(self.statements.contents[rows]),
            "said": torch.from_numpy(self.statements.said[rows].astype(np.int64)),
        }


class TrainingPairs(Pairs):
    """The training split as it is drawn: mirrored and noisy anew each time."""

    def __init__(self, pairs: Pairs, config: DataConfig) -> None:
        super().__init__(pairs, pairs.tokens, pairs.statements)
        self.config = config

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        batch = super().batch(indices, noise)
        if noise is None:
            return batch
        if self.config.flip:
            batch["x"] = mirrored(batch["x"], noise)
        if self.config.noise:
            drawn = torch.from_numpy(noise.standard_normal(batch["x"].shape, dtype=np.float32))
            batch["x"] = (batch["x"] + self.config.noise * drawn).clamp(0, 1)
        return batch


class PairData(NamedTuple):
    """The data, split."""

    splits: dict[str, Pairs]
    tokenizer: Tokenizer
    """Fitted to the training captions."""


@cache
def load_images(config: DataConfig, division: Division | None = None) -> tuple[ImageData, Statements]:
    """Images and captions, split, and what the captions say.

    Raises:
        Problem: they cannot be read, are not those of `data.lock.json`, or an image has no caption.
    """
    if config.path is None:
        return scenes(division)
    images = read(config, division)
    require_captions(images.splits, config.path)
    return images, own_statements(images.splits)


@cache
def load(config: DataConfig, context: int, vocab_size: int, division: Division | None = None) -> PairData:
    """The same with the captions as at most `context` tokens."""
    images, statements = load_images(config, division)
    captions = {name: split.captions for name, split in images.splits.items()}
    tokenizer = train_tokenizer(Training(captions), vocab_size)
    splits = {}
    for name, split in images.splits.items():
        tokens, cut = encode(tokenizer, split.captions, context)
        tell_of_cut(name, split.captions, cut, context)
        splits[name] = Pairs(split, tokens, statements)
    return PairData(splits, tokenizer)
