"""The fields of the model, of its data and of the loss, with what each may be."""

from dataclasses import dataclass
from typing import Literal

from .engine.core.errors import Problem
from .engine.images.config import ImageConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig(ImageConfig):
    """Which images, and what training does to them."""

    balanced: bool = False
    """Draw every class equally often while training, however rare it is."""
    shift: float = 0.0875
    """Training images are shifted by up to this share of their side each way."""
    rotation: float = 10.0
    """Training images are turned by up to this many degrees either way."""
    flip: bool = False
    """Training images are mirrored half of the time: right for photographs, wrong for writing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.shift <= 0.5:
            raise Problem(f"--data.shift {self.shift} must be a share of the side, from 0 to 0.5")
        if not 0 <= self.rotation <= 180:
            raise Problem(f"--data.rotation {self.rotation} must be 0 to 180 degrees")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the network."""

    patch: int = 0
    """Pixels along the side that the stem takes together; 0 takes 1, 2 or 4, and leaves 16 positions where it can."""
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
        if min(*self.widths, *self.depths) < 1:
            raise Problem("--model.widths and --model.depths must be at least 1")
        if self.patch < 0:
            raise Problem(f"--model.patch {self.patch} must be 0 or a number of pixels")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise Problem(f"--model.kernel {self.kernel} must be odd")
        if not 0 <= self.drop_path < 1:
            raise Problem(f"--model.drop-path {self.drop_path} must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """A network of timm that learned on other images, in place of this project's: the model's fields do not count."""

    name: str = ""
    """What timm calls it, such as resnet18.a1_in1k; where none is named, the model is this project's."""
    weights: str = ""
    """A file of its weights, torchvision's or timm's; where none is named, the published ones are downloaded."""
    frozen: Literal["nothing", "stem", "all"] = "nothing"
    """What stays as it was learned: the stem, or all but the last layer."""

    def __post_init__(self) -> None:
        if not self.name and (self.weights or self.frozen != "nothing"):
            raise Problem("--backbone.weights and --backbone.frozen need --backbone.name, what timm calls the network")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What the cross-entropy counts."""

    smoothing: float = 0.0
    """Share of each label that is spread over all classes."""
    class_weights: bool = False
    """Count an example by how rare its class is among the training images."""
    mixup: float = 0.0
    """Training images are mixed in pairs, with shares drawn from Beta(mixup, mixup); 0 mixes none."""

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise Problem(f"--loss.smoothing {self.smoothing} must be at least 0 and below 1")
        if not 0 <= self.mixup <= 10:
            raise Problem(f"--loss.mixup {self.mixup} must be 0 to 10")
