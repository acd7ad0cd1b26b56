"""Presets: whole configurations that work. `train PRESET --field value` overrides single fields."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import DataConfig, DiffusionConfig, ModelConfig, SamplingConfig
from .engine.core.errors import Problem
from .engine.training.config import TrainConfig

if TYPE_CHECKING:
    from .task import Generation


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    train: TrainConfig

    def __post_init__(self) -> None:
        if self.sampling.steps > self.diffusion.steps:
            raise Problem(
                f"--sampling.steps {self.sampling.steps} must be at most --diffusion.steps, {self.diffusion.steps}"
            )

    def task(self) -> "Generation":
        from .task import Generation

        return Generation(self.data, self.model, self.diffusion, self.sampling)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        model=ModelConfig(patch=4, d_model=64, layers=2),
        sampling=SamplingConfig(sampler="dpm-solver", steps=10),
        train=TrainConfig(
            steps=200,
            batch=32,
            micro_batch=32,
            learning_rate=2e-3,
            warmup_steps=10,
            weight_decay=1e-4,
            ema=0.999,
            ema_warmup=True,
            precision="fp32",  # layers this small gain nothing from bf16 on a CPU
            validate_every=50,
            validation_batches=4,
            save_every=50,
        ),
    )


def default() -> Config:
    """Two to three minutes on two CPU cores."""
    return Config(
        preset="default",
        train=TrainConfig(
            steps=4000,
            batch=64,
            micro_batch=64,
            learning_rate=2e-3,
            warmup_steps=100,
            weight_decay=1e-4,
            betas=(0.9, 0.99),
            ema=0.999,
            ema_warmup=True,
            precision="fp32",  # layers this small gain nothing from bf16 on a CPU
            validate_every=500,
            validation_batches=6,
            save_every=500,
        ),
    )


def full() -> Config:
    """The largest that is meant to be trained, on a GPU and images of your own; the budgets are about this one."""
    return Config(
        preset="full",
        model=ModelConfig(d_model=384, layers=12, heads=6),
        train=TrainConfig(
            steps=100_000,
            batch=256,
            micro_batch=256,
            learning_rate=2e-4,
            warmup_steps=1000,
            weight_decay=1e-4,
            betas=(0.9, 0.99),
            ema=0.9999,
            ema_warmup=True,
            validate_every=5000,
            validation_batches=8,
            save_every=5000,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default, "full": full}
