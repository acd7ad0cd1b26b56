"""The fields of the model, and of the data of each of the three tasks, with what each may be.

What is learned is one of three dataclasses, which hold the fields of its data: a preset chooses which.
"""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Suppress

from .engine.core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the model, and how it halts."""

    vocab_size: int
    """Entries of the embedding and of the output."""
    length: int
    """Positions that the model sees at once, at most."""
    width: int
    """Features of each position: D."""
    layers: int = 2
    """Blocks of the backbone, which every cycle calls again."""
    heads: int
    """Heads of the attention and of the memory."""
    d_ff: int
    """Features inside the feed-forward layer."""
    window: int
    """How many positions the attention reaches: itself and those before it; both sides where nothing is causal."""
    persistent: int = 16
    """Learned vectors in front of the sequence, which every position sees."""
    memory: bool = True
    """The long-term memory and its gate; off leaves the attention alone."""
    expansion: int = 1
    """Features inside the memory's perceptron, as a multiple of a head's."""
    chunk: int = 32
    """Positions that the memory writes at once."""
    conv: int = 4
    """Positions that the convolution before the memory spans."""
    causal: bool = False
    """Whether a position sees those before it alone."""
    cycles: int = 3
    """TRM's T: how often the answer is refined in a supervision step; all but the last without gradient."""
    inner: int = 6
    """TRM's n: latent steps before each refinement; with 0, a refinement is told the question itself."""
    supervision: int = 1
    """Supervision steps that an example is given at most."""
    halt_bias: float = -5.0
    """First logit of halting. At 0 and above, the model halts before it has seen what going on would bring."""
    ponder: float = 0.01
    """Weight of the divergence between how often the batch halts at each step and the prior."""
    prior: float = 0.2
    """The prior's probability of halting at each step: its mean number of steps is one over it."""
    information: float = 0.01
    """Weight of what the halting step tells of the example."""
    norm_eps: float = 1e-5
    """Added to the mean square in RMSNorm."""
    rope_base: float = 10_000.0
    """Base of the rotary frequencies."""
    activation_checkpointing: bool = False
    """Compute the backbone again in the backward pass: less memory, about a third more time."""

    def __post_init__(self) -> None:
        counts = ("vocab_size", "length", "width", "layers", "heads", "d_ff", "window", "expansion", "chunk", "conv")
        for name in (*counts, "cycles", "supervision"):
            if getattr(self, name) < 1:
                raise Problem(f"--model.{name.replace('_', '-')} {getattr(self, name)} must be at least 1")
        for name in ("persistent", "inner", "ponder", "information"):
            if getattr(self, name) < 0:
                raise Problem(f"--model.{name} {getattr(self, name)} must be at least 0")
        if not 0 < self.prior < 1:
            raise Problem(f"--model.prior {self.prior} must be above 0 and below 1")
        if self.width % (2 * self.heads):
            raise Problem(f"--model.width {self.width} must be a multiple of twice --model.heads {self.heads}")


def require(option: str, value: object, holds: bool, what: str) -> None:
    """Refuse a field of the model that does not go with what is learned."""
    if not holds:
        raise Problem(f"--model.{option.replace('_', '-')} {value} must be {what}")


@dataclass(frozen=True, kw_only=True)
class Sudoku:
    """Boards of side x side cells, and what they are made of."""

    kind: Suppress[Literal["sudoku"]] = "sudoku"
    side: int
    """Cells of a row: 4 or 9."""
    count: int
    """Puzzles in all: about 80 % train, 10 % validation, 10 % test."""
    clues: tuple[int, ...]
    """Cells that are given: as many puzzles for each of these numbers, with more clues where they need them."""
    seed: int = 0
    """Decides which puzzles are made."""


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Pairs of a key and a value, and keys that are asked for later (Arora et al. 2023, arXiv:2312.04927)."""

    kind: Suppress[Literal["recall"]] = "recall"
    pairs: int
    """Pairs in a sequence."""
    gap: int
    """Tokens between the pairs and the first question."""
    count: int
    """Sequences in all: 80 % train, 10 % validation, 10 % test."""
    seed: int = 0
    """Decides which sequences are made."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """Text, as tokens of bytes that occur together."""

    kind: Suppress[Literal["language"]] = "language"
    path: str | None = None
    """A folder or file of .txt, .jsonl or .parquet; without it, the source code of Python's standard library."""
