"""The fields of the model, of its data and of the loss, with what each may be."""

from dataclasses import dataclass
from typing import Literal

from .engine.core.errors import Problem


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
        if len(set(self.classes)) == 1:
            raise Problem(f"--data.classes {self.classes[0]} must be at least two digits: one needs no telling apart")
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
