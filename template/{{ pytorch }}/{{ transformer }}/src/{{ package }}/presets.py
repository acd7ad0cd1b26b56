"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --model.width 96`), and the result is saved with the run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import DataConfig, ModelConfig
from .engine.training.config import TrainConfig

if TYPE_CHECKING:
    from .task import LanguageModeling


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig
    train: TrainConfig

    def task(self) -> "LanguageModeling":
        from .task import LanguageModeling

        return LanguageModeling(self.data, self.model)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        model=ModelConfig(vocab_size=512, context_length=64, width=32, layers=2, heads=2, kv_heads=1, d_ff=64),
        train=TrainConfig(
            steps=40,
            batch=16,
            micro_batch=16,
            learning_rate=1e-2,
            warmup_steps=5,
            validate_every=20,
            validation_batches=4,
            save_every=20,
        ),
    )


def default() -> Config:
    """About two minutes on two CPU cores."""
    return Config(
        preset="default",
        model=ModelConfig(vocab_size=4096, context_length=256, width=192, layers=4, heads=6, kv_heads=2, d_ff=512),
        train=TrainConfig(
            steps=550,
            batch=8,
            micro_batch=8,
            learning_rate=4e-3,
            warmup_steps=50,
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
            vocab_size=50304, context_length=1024, width=768, layers=12, heads=12, kv_heads=4, d_ff=2304, dropout=0.1
        ),
        train=TrainConfig(
            steps=2000,
            batch=128,
            micro_batch=16,
            learning_rate=1e-3,
            warmup_steps=100,
            validate_every=100,
            validation_batches=16,
            save_every=200,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default, "full": full}
