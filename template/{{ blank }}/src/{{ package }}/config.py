"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --model.width 96`), and the result is saved with the run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from .errors import Problem
from .settings import TrainConfig

if TYPE_CHECKING:
    from .task import Classification


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the model. Replace them by those of your own."""

    features: int = 64
    """Numbers in one example: an image of 8 x 8 pixels."""
    classes: int = 10
    """What an example can be: one of ten digits."""
    width: int
    """Features of each hidden layer."""
    layers: int
    """Hidden layers."""
    dropout: float = 0.0
    """Probability of dropping a hidden feature while training."""

    def __post_init__(self) -> None:
        for name in ("features", "classes", "width", "layers"):
            if getattr(self, name) < 1:
                raise Problem(f"--model.{name} {getattr(self, name)} must be at least 1")
        if not 0 <= self.dropout < 1:
            raise Problem(f"--model.dropout {self.dropout} must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    model: ModelConfig
    train: TrainConfig

    def task(self) -> "Classification":
        from .task import Classification

        return Classification(self.model)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        model=ModelConfig(width=32, layers=1),
        train=TrainConfig(
            steps=60,
            batch=32,
            micro_batch=32,
            learning_rate=1e-2,
            warmup=5,
            validate_every=20,
            validation_batches=8,
            save_every=20,
        ),
    )


def default() -> Config:
    """Under ten seconds on two CPU cores."""
    return Config(
        preset="default",
        model=ModelConfig(width=256, layers=2, dropout=0.2),
        train=TrainConfig(
            steps=2000,
            batch=64,
            micro_batch=64,
            learning_rate=2e-3,
            warmup=100,
            validate_every=200,
            validation_batches=8,
            save_every=1000,
        ),
    )


def full() -> Config:
    """The largest that is meant to be trained; the budgets are about this one."""
    return Config(
        preset="full",
        model=ModelConfig(width=1024, layers=3, dropout=0.2),
        train=TrainConfig(
            steps=4000,
            batch=128,
            micro_batch=128,
            learning_rate=1e-3,
            warmup=200,
            validate_every=200,
            validation_batches=8,
            save_every=1000,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default, "full": full}


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Classify images with a trained run."""

    file: Positional[Path]
    """A .csv or .npy file with one image a row: 64 brightnesses from 0 to 16."""
    run: str | None = None
    """The run folder; the latest where none is named."""

    def __call__(self) -> None:
        from .predict import load, read

        for probabilities in load(self.run).probabilities(read(self.file)):
            label = int(probabilities.argmax())
            print(f"{label}  {probabilities[label]:.3f}")
