"""Captions as tokens, and what they say: which images a caption fits."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from ..core.errors import Problem
from ..splits.splits import Training
from .examples import Images

TOKENIZER = "tokenizer.json"
"""The file of a run with its tokenizer."""
END, END_TOKEN = "<|endoftext|>", 0
"""Ends a caption, and fills the places behind it: its spelling and its number."""
SHOWN = 3


class Statements(NamedTuple):
    """What is so in each image, and what each caption says of it, by attributes."""

    contents: np.ndarray
    """(N, A), integers."""
    said: np.ndarray
    """(N, A), bool: a caption says that the attribute is that of its own image."""


def own_statements(splits: dict[str, Images]) -> Statements:
    """Of a person's own captions: nothing is known but that equal ones say the same."""
    count = max(int(images.rows.max()) for images in splits.values()) + 1
    contents, known = np.full((count, 1), -1), dict[str, int]()
    for images in splits.values():
        for row, caption in zip(images.rows.tolist(), images.captions, strict=True):
            contents[row] = known.setdefault(normal(caption), len(known))
    return Statements(contents, np.ones((count, 1), dtype=bool))


def normal(caption: str) -> str:
    """A caption without what makes no difference: cases and runs of spaces."""
    return " ".join(caption.lower().split())


def require_captions(splits: dict[str, Images], path: str) -> None:
    """Refuse images without captions.

    Raises:
        Problem: some have none.
    """
    for name, images in splits.items():
        if missing := sum(not caption for caption in images.captions):
            raise Problem(
                f"{missing} of the {len(images)} {name} images of {path} have no caption: name a .csv or .parquet with "
                "the columns path and caption, or .tar files whose examples have a .txt"
            )


def train_tokenizer(training: Training[Sequence[str]], vocab_size: int) -> Tokenizer:
    """A byte-level BPE of lower-case text with at most `vocab_size` entries; entry 0 is END."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training.data, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, captions: Sequence[str], context: int) -> tuple[np.ndarray, list[int]]:
    """The tokens, (n, context), each caption followed by END, and which captions were cut at the context."""
    tokenizer.encode_special_tokens = True
    tokens, cut = np.zeros((len(captions), context), np.int64), []
    for row, encoding in enumerate(tokenizer.encode_batch([normal(caption) for caption in captions])):
        if len(encoding.ids) >= context:
            cut.append(row)
        ids = encoding.ids[: context - 1]
        tokens[row, : len(ids)] = ids
    return tokens, cut


def tell_of_cut(split: str, captions: Sequence[str], cut: list[int], context: int) -> None:
    """Print how many captions of a split do not fit into the context, and some of them."""
    if cut:
        named = "; ".join(repr(captions[row][:60]) for row in cut[:SHOWN])
        print(
            f"{len(cut)} of {len(captions)} {split} captions are cut to {context - 1} tokens, such as {named}: "
            "--model.context-length takes more",
            file=sys.stderr,
        )
