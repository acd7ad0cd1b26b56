"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --data.split writers`), and the result is saved with the run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import BackboneConfig, DataConfig, LossConfig, ModelConfig
from .engine.core.errors import Problem
from .engine.training.config import TrainConfig

if TYPE_CHECKING:
    from .task import Classification


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig

    def __post_init__(self) -> None:
        if self.data.balanced and self.loss.class_weights:
            raise Problem("--data.balanced and --loss.class-weights count rare classes twice: choose one")

    def task(self) -> "Classification":
        from .task import Classification

        return Classification(self.data, self.model, self.loss, self.backbone)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        model=ModelConfig(widths=(16, 32), depths=(1, 1)),
        train=TrainConfig(
            steps=200,
            batch=32,
            micro_batch=32,
            learning_rate=1e-2,
            warmup_steps=10,
            validate_every=50,
            validation_batches=12,
            save_every=50,
        ),
    )


def default() -> Config:
    """About a minute on two CPU cores."""
    return Config(
        preset="default",
        model=ModelConfig(widths=(32, 64), depths=(1, 2)),
        train=TrainConfig(
            steps=1000,
            batch=64,
            micro_batch=64,
            learning_rate=3e-3,
            warmup_steps=100,
            ema=0.99,
            validate_every=250,
            validation_batches=8,
            save_every=500,
        ),
    )


def full() -> Config:
    """The largest that is meant to be trained, on a GPU; the budgets are about this one."""
    return Config(
        preset="full",
        model=ModelConfig(widths=(96, 192), depths=(3, 9), drop_path=0.1),
        train=TrainConfig(
            steps=4000,
            batch=128,
            micro_batch=128,
            learning_rate=2e-3,
            warmup_steps=200,
            ema=0.99,
            validate_every=1000,
            validation_batches=8,
            save_every=1000,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default, "full": full}
