"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --model.width 96`), and the result is saved with the run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .config import ModelConfig
from .engine.training.config import TrainConfig

if TYPE_CHECKING:
    from .task import Classification


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
            warmup_steps=5,
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
            warmup_steps=100,
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
            warmup_steps=200,
            validate_every=200,
            validation_batches=8,
            save_every=1000,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default, "full": full}
