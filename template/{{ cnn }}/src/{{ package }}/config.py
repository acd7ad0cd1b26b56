"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --data.split writers`), and the result is saved with the run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from .errors import Problem
from .settings import TrainConfig

if TYPE_CHECKING:
    from .task import Classification


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images, and what training does to them."""

    split: Literal["stratified", "writers"] = "stratified"
    """stratified: every digit equally often on each side; writers: strangers' handwriting is held out."""
    classes: tuple[int, ...] = ()
    """Only these digits; all where none is named."""
    balanced: bool = False
    """Draw every class equally often while training, however rare it is."""
    shift: float = 0.7
    """Training images are shifted by up to this many pixels each way."""
    rotation: float = 10.0
    """Training images are turned by up to this many degrees either way."""

    def __post_init__(self) -> None:
        if not set(self.classes) <= set(range(10)):
            raise Problem(f"--data.classes {' '.join(map(str, self.classes))} must be digits from 0 to 9")
        if not 0 <= self.shift <= 4:
            raise Problem(f"--data.shift {self.shift} must be 0 to 4 pixels")
        if not 0 <= self.rotation <= 180:
            raise Problem(f"--data.rotation {self.rotation} must be 0 to 180 degrees")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the network."""

    classes: int = 10
    """What an image can show."""
    widths: tuple[int, ...]
    """Channels of each stage; the image is halved between two stages."""
    depths: tuple[int, ...]
    """Blocks of each stage."""
    kernel: int = 3
    """Pixels along the side of a depthwise filter."""
    drop_path: float = 0.0
    """Probability of skipping the last block for an image while training; the first block's is 0."""

    def __post_init__(self) -> None:
        if not self.widths or len(self.widths) != len(self.depths):
            raise Problem(f"--model.widths {self.widths} and --model.depths {self.depths} must name the same stages")
        if len(self.widths) > 4:
            raise Problem(f"--model.widths names {len(self.widths)} stages: 8 pixels can be halved for 4 at most")
        if min(*self.widths, *self.depths, self.classes) < 1:
            raise Problem("--model.widths, --model.depths and --model.classes must be at least 1")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise Problem(f"--model.kernel {self.kernel} must be odd")
        if not 0 <= self.drop_path < 1:
            raise Problem(f"--model.drop-path {self.drop_path} must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What the cross-entropy counts."""

    smoothing: float = 0.0
    """Share of each label that is spread over all classes."""
    class_weights: bool = False
    """Count an example by how rare its class is among the training images."""

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise Problem(f"--loss.smoothing {self.smoothing} must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    init: str | None = None
    """Start from the weights of this finished run, instead of from chance."""
    data: DataConfig = DataConfig()
    model: ModelConfig
    loss: LossConfig = LossConfig()
    train: TrainConfig

    def __post_init__(self) -> None:
        if self.data.balanced and self.loss.class_weights:
            raise Problem("--data.balanced and --loss.class-weights count rare classes twice: choose one")

    def task(self) -> "Classification":
        from .task import Classification

        return Classification(self.data, self.model, self.loss, self.init)


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
            warmup=10,
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
            warmup=100,
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
            warmup=200,
            ema=0.99,
            validate_every=1000,
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
