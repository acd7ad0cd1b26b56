"""A prepared corpus, its tokenizer, and windows of its tokens.

The tokenizer is a byte-level BPE. What was prepared is kept in `.cache/`, named by a hash of everything that decided
it.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ..core.batch import Batch
from ..core.errors import Problem
from ..splits.leakage import Leakage
from ..splits.splits import Training

END = "<|endoftext|>"


class TextExamples:
    """Windows of `context` + 1 tokens; a window's last token is the next one's first, so each is predicted once."""

    def __init__(self, tokens: np.ndarray, context: int) -> None:
        self.tokens, self.context = tokens, context

    @classmethod
    def load(cls, file: Path | str, context: int) -> "TextExamples":
        """The windows of a .npy file, which is read where it is needed and not before."""
        return cls(np.load(file, mmap_mode="r"), context)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker that does not begin as a copy of this process opens the file, instead of being sent what it holds.
        if isinstance(self.tokens, np.memmap):
            return TextExamples.load, (self.tokens.filename, self.context)
        return TextExamples, (self.tokens, self.context)

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.context

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`tokens`: (len(indices), context + 1), int64."""
        positions = indices[:, None] * self.context + np.arange(self.context + 1)
        return {"tokens": torch.from_numpy(self.tokens[positions].astype(np.int64))}


@dataclass(frozen=True)
class Text:
    """A prepared corpus in a folder of the cache."""

    folder: Path
    sha256: str
    leakage: Leakage
    """What the splits share: nothing, unless the grouping is changed."""

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.folder / "tokenizer.json"))

    def tokens(self, split: str) -> np.ndarray:
        """The split's documents in the order of their hash, each followed by the end-of-text token."""
        tokens: np.ndarray = np.load(self.folder / f"{split}.npy", mmap_mode="r")
        return tokens

    def bytes(self, split: str) -> bytes:
        """The split's documents one after the other, as UTF-8."""
        return (self.folder / f"{split}.txt").read_bytes()

    def examples(self, split: str, context: int) -> TextExamples:
        """The windows of a split.

        Raises:
            Problem: the split is shorter than one window.
        """
        examples = TextExamples(self.tokens(split), context)
        if not len(examples):
            raise Problem(
                f"the {split} split holds {len(examples.tokens)} tokens, fewer than --model.context-length {context}: "
                "add text or lower the context"
            )
        return examples

    def token_bytes(self) -> np.ndarray:
        """How many bytes of text each token stands for; none for the end of text."""
        lengths = np.zeros(self.tokenizer.get_vocab_size(), dtype=np.int64)
        for token, index in self.tokenizer.get_vocab().items():
            lengths[index] = 0 if token == END else len(token)
        return lengths


def write(folder: Path, splits: dict[str, list[str]], vocab_size: int) -> None:
    """Everything that a run reads of the text."""
    tokenizer = train_tokenizer(Training(splits), vocab_size)
    tokenizer.save(str(folder / "tokenizer.json"))
    for split, documents in splits.items():
        (folder / f"{split}.txt").write_bytes("".join(documents).encode())
        np.save(folder / f"{split}.npy", encode(tokenizer, documents))


def train_tokenizer(training: Training[list[str]], vocab_size: int) -> Tokenizer:
    """A byte-level BPE with at most `vocab_size` entries; entry 0 is the end of text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training.data, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, documents: list[str]) -> np.ndarray:
    """The documents' tokens, each document followed by the end of text.

    The marker's own spelling inside a document is ordinary text.
    """
    tokenizer.encode_special_tokens = True
    end = tokenizer.token_to_id(END)
    kind = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    encodings = tokenizer.encode_batch(documents, add_special_tokens=False)
    return np.concatenate([np.array([*encoding.ids, end], dtype=kind) for encoding in encodings])
