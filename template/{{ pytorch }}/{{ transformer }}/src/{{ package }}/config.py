"""The fields of the model and of its data, with what each may be."""

from dataclasses import dataclass

from .engine.core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where the text comes from."""

    path: str | None = None
    """A folder or file of .txt, .jsonl or .parquet; without it, the source code of Python's standard library."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the transformer."""

    vocab_size: int
    """Entries of the tokenizer and rows of the embedding."""
    context_length: int
    """Tokens that the model sees at once."""
    width: int
    """Features of the residual stream."""
    layers: int
    """Blocks."""
    heads: int
    """Query heads."""
    kv_heads: int
    """Key and value heads; each serves heads / kv_heads query heads."""
    d_ff: int
    """Features inside the feed-forward layer."""
    dropout: float = 0.0
    """Probability of dropping a feature while training."""
    norm_eps: float = 1e-5
    """Added to the mean square in RMSNorm."""
    rope_base: float = 10_000.0
    """Base of the rotary frequencies."""
    activation_checkpointing: bool = False
    """Recompute each block in the backward pass: less memory, about a third more time."""

    def __post_init__(self) -> None:
        for name in ("width", "layers", "heads", "kv_heads", "d_ff"):
            if getattr(self, name) < 1:
                raise Problem(f"--model.{name.replace('_', '-')} {getattr(self, name)} must be at least 1")
        if self.context_length < 2:
            raise Problem(f"--model.context-length {self.context_length} must be at least 2: one token has no context")
        if not 0 <= self.dropout < 1:
            raise Problem(f"--model.dropout {self.dropout} must be at least 0 and below 1")
        if self.width % (2 * self.heads):
            raise Problem(f"--model.width {self.width} must be a multiple of twice --model.heads {self.heads}")
        if self.heads % self.kv_heads:
            raise Problem(f"--model.heads {self.heads} must be a multiple of --model.kv-heads {self.kv_heads}")
        if self.vocab_size < 257:
            raise Problem(f"--model.vocab-size {self.vocab_size} must be at least 257: 256 bytes and the end of text")
