"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --loss.kind siglip`), and the result is saved with the run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import DataConfig, LossConfig, ModelConfig
from .engine.training.config import TrainConfig

if TYPE_CHECKING:
    from .task import Pairing


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig

    def task(self) -> "Pairing":
        from .task import Pairing

        return Pairing(self.data, self.model, self.loss)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        model=ModelConfig(
            patch=8,
            width=32,
            layers=1,
            heads=2,
            text_width=32,
            text_layers=1,
            text_heads=2,
            context_length=24,
            embedding=16,
        ),
        train=TrainConfig(
            steps=60,
            batch=64,
            micro_batch=64,
            learning_rate=3e-3,
            warmup_steps=6,
            validate_every=30,
            validation_batches=4,
            save_every=30,
        ),
    )


def default() -> Config:
    """About two minutes on two CPU cores."""
    return Config(
        preset="default",
        model=ModelConfig(
            patch=8,
            width=64,
            layers=2,
            heads=2,
            text_width=64,
            text_layers=2,
            text_heads=2,
            context_length=24,
            embedding=64,
        ),
        train=TrainConfig(
            steps=1000,
            batch=256,
            micro_batch=256,
            optimizer="muon",
            learning_rate=3e-3,
            warmup_steps=100,
            validate_every=250,
            validation_batches=4,
            save_every=250,
        ),
    )


def full() -> Config:
    """The largest that is meant to be trained, on a GPU; the budgets are about this one."""
    return Config(
        preset="full",
        model=ModelConfig(width=384, layers=8, heads=6, text_width=384, text_layers=6, text_heads=6, embedding=256),
        train=TrainConfig(
            steps=6000,
            batch=512,
            micro_batch=512,
            learning_rate=5e-4,
            warmup_steps=600,
            ema=0.999,
            validate_every=1000,
            validation_batches=2,
            save_every=1000,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default, "full": full}
