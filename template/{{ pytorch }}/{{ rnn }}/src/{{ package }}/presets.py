"""Presets: whole configurations that work. `train PRESET --field value` overrides single fields."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import DataConfig, ModelConfig
from .engine.core.errors import Problem
from .engine.training.config import TrainConfig

if TYPE_CHECKING:
    from .task import Forecasting


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights and the order of the data."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig

    def __post_init__(self) -> None:
        together = self.model.truncate or self.data.context
        if self.model.burn_in >= together:
            raise Problem(
                f"--model.burn-in {self.model.burn_in} must be less than the {together} steps that are learned together"
            )
        if self.data.context % together:
            raise Problem(f"--data.context {self.data.context} must be a multiple of --model.truncate, {together}")

    def task(self) -> "Forecasting":
        from .task import Forecasting

        return Forecasting(self.data, self.model)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        data=DataConfig(stride=16),
        model=ModelConfig(d_model=32),
        train=TrainConfig(
            steps=200,
            batch=32,
            micro_batch=32,
            learning_rate=1e-2,
            warmup_steps=20,
            min_lr_ratio=0.0,
            betas=(0.9, 0.99),
            weight_decay=0.0,
            precision="fp32",  # bf16 knows three digits of a value, and a forecast of 84 steps needs more
            compile="off",  # PyTorch compiles no recurrent layer
            validate_every=50,
            validation_batches=8,
            save_every=50,
        ),
    )


def default() -> Config:
    """Under a minute on one CPU core."""
    return Config(
        preset="default",
        train=TrainConfig(
            steps=4000,
            batch=32,
            micro_batch=32,
            learning_rate=1e-2,
            warmup_steps=100,
            min_lr_ratio=0.0,
            betas=(0.9, 0.99),
            weight_decay=0.0,
            precision="fp32",  # bf16 knows three digits of a value, and a forecast of 84 steps needs more
            compile="off",  # PyTorch compiles no recurrent layer
            validate_every=500,
            validation_batches=16,
            save_every=500,
        ),
    )


def seasonal() -> Config:
    """Several series with seasons, a trend, holidays and gaps, and forecasts that know their doubt; seconds."""
    return Config(
        preset="seasonal",
        data=DataConfig(source="seasonal", context=56, horizon=14, reported=(1, 7), stride=1),
        model=ModelConfig(head="student", d_model=32, lags=7, burn_in=7, dropout=0.2),
        train=TrainConfig(
            steps=600,
            batch=64,
            micro_batch=64,
            learning_rate=3e-3,
            warmup_steps=50,
            min_lr_ratio=0.0,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            precision="fp32",
            compile="off",
            validate_every=100,
            validation_batches=24,
            save_every=100,
        ),
    )


def full() -> Config:
    """The largest that is meant to be trained, on a GPU; the budgets are about this one."""
    return Config(
        preset="full",
        data=DataConfig(context=256),
        model=ModelConfig(d_model=512, layers=2),
        train=TrainConfig(
            steps=40_000,
            batch=128,
            micro_batch=128,
            learning_rate=2e-3,
            warmup_steps=500,
            min_lr_ratio=0.0,
            betas=(0.9, 0.99),
            weight_decay=0.0,
            precision="fp32",
            compile="off",
            validate_every=2000,
            validation_batches=16,
            save_every=2000,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default, "seasonal": seasonal, "full": full}
