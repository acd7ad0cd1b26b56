"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --model.width 96`), and the result is saved with the run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from .errors import Problem
from .settings import TrainConfig

if TYPE_CHECKING:
    from .task import LanguageModeling


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where the text comes from."""

    path: str | None = None
    """A folder or file of .txt, .jsonl or .parquet; without it, the source code of Python's standard library."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the transformer."""

    vocabulary: int
    """Entries of the tokenizer and rows of the embedding."""
    context: int
    """Tokens that the model sees at once."""
    width: int
    """Features of the residual stream."""
    layers: int
    """Blocks."""
    heads: int
    """Query heads."""
    kv_heads: int
    """Key and value heads; each serves heads / kv_heads query heads."""
    hidden: int
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
        for name in ("context", "width", "layers", "heads", "kv_heads", "hidden"):
            if getattr(self, name) < 1:
                raise Problem(f"--model.{name.replace('_', '-')} {getattr(self, name)} must be at least 1")
        if not 0 <= self.dropout < 1:
            raise Problem(f"--model.dropout {self.dropout} must be at least 0 and below 1")
        if self.width % (2 * self.heads):
            raise Problem(f"--model.width {self.width} must be a multiple of twice --model.heads {self.heads}")
        if self.heads % self.kv_heads:
            raise Problem(f"--model.heads {self.heads} must be a multiple of --model.kv-heads {self.kv_heads}")
        if self.vocabulary < 257:
            raise Problem(f"--model.vocabulary {self.vocabulary} must be at least 257: 256 bytes and the end of text")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    data: DataConfig = DataConfig()
    model: ModelConfig
    train: TrainConfig

    def task(self) -> "LanguageModeling":
        from .task import LanguageModeling

        return LanguageModeling(self.data, self.model)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        model=ModelConfig(vocabulary=512, context=64, width=32, layers=2, heads=2, kv_heads=1, hidden=64),
        train=TrainConfig(
            steps=40,
            batch=16,
            micro_batch=16,
            learning_rate=1e-2,
            warmup=5,
            validate_every=20,
            validation_batches=4,
            save_every=20,
        ),
    )


def default() -> Config:
    """About two minutes on two CPU cores."""
    return Config(
        preset="default",
        model=ModelConfig(vocabulary=4096, context=256, width=192, layers=4, heads=6, kv_heads=2, hidden=512),
        train=TrainConfig(
            steps=550,
            batch=8,
            micro_batch=8,
            learning_rate=4e-3,
            warmup=50,
            validate_every=100,
            validation_batches=8,
            save_every=100,
        ),
    )


def full() -> Config:
    """The size of GPT-2 small, for a GPU."""
    return Config(
        preset="full",
        model=ModelConfig(
            vocabulary=50304, context=1024, width=768, layers=12, heads=12, kv_heads=4, hidden=2304, dropout=0.1
        ),
        train=TrainConfig(
            steps=2000,
            batch=128,
            micro_batch=16,
            learning_rate=1e-3,
            warmup=100,
            validate_every=100,
            validation_batches=16,
            save_every=200,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default, "full": full}


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Complete a text with a trained run."""

    prompt: Positional[str]
    """The text to go on from."""
    run: str | None = None
    """The run folder; the latest where none is named."""
    tokens: int = 200
    """How many tokens to add at most."""
    temperature: float = 0.8
    """0 takes the likeliest token each time; 1 samples from the model as it is."""
    seed: int = 0
    """Seed of the sampling."""

    def __call__(self) -> None:
        from .predict import load

        if self.temperature < 0 or self.tokens < 0:
            raise Problem("--temperature and --tokens must be at least 0")
        model = load(self.run)
        print(model.complete(self.prompt, tokens=self.tokens, temperature=self.temperature, seed=self.seed))
