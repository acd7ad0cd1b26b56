"""The fields of the data, the network, the diffusion process and the sampler, with what each may be."""

from dataclasses import dataclass
from typing import Literal

from .engine.core.errors import Problem
from .engine.images.config import ImageConfig

Target = Literal["v", "epsilon", "x0"]
Sampler = Literal["ddim", "ddpm", "dpm-solver"]


@dataclass(frozen=True, kw_only=True)
class DataConfig(ImageConfig):
    """Which images, and what training does to them."""

    flip: bool = False
    """Training images are mirrored half of the time: right for photographs, wrong for writing."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which network removes the noise, and its sizes."""

    network: Literal["dit", "unet"] = "dit"
    """A transformer on patches, or a convolutional network that halves the image and doubles it again."""
    heads: int = 4
    """Heads of each attention."""
    patch: int = 2
    """dit: pixels along the side of a patch."""
    d_model: int = 96
    """dit: width of a patch's vector."""
    layers: int = 3
    """dit: blocks."""
    widths: tuple[int, ...] = (48, 96)
    """unet: channels of each stage; the image is halved between two stages."""
    blocks: int = 1
    """unet: residual blocks of each stage on the way down, and on the way up."""

    def __post_init__(self) -> None:
        if min(self.heads, self.patch, self.d_model, self.layers, self.blocks) < 1:
            raise Problem("--model.heads, patch, d-model, layers and blocks must be at least 1")
        if self.d_model % (4 * self.heads):
            raise Problem(f"--model.d-model {self.d_model} must be a multiple of 4 x --model.heads, {4 * self.heads}")
        if not self.widths or min(self.widths) < 1:
            raise Problem(f"--model.widths {self.widths} must name a width of at least 1 for each stage")
        if self.widths[-1] % self.heads:
            raise Problem(f"--model.widths {self.widths} must end with a multiple of --model.heads, {self.heads}")


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig:
    """How noise is added, and what is learned of it."""

    steps: int = 1000
    """T: into how many steps the way from an image to pure noise is cut."""
    schedule: Literal["cosine", "linear"] = "cosine"
    """How fast the noise grows with the time t."""
    target: Target = "v"
    """What the network says of a noisy image: the velocity, the noise, or the image."""
    weighting: Literal["constant", "min-snr"] = "constant"
    """How much the error at a time counts: 1, or as the signal-to-noise ratio there, up to --diffusion.gamma."""
    gamma: float = 5.0
    """Where min-snr cuts the ratio off."""
    label_drop: float = 0.1
    """Share of the training images whose class is hidden, so that the sampler can be guided."""

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise Problem(f"--diffusion.steps {self.steps} must be at least 2")
        if not self.gamma > 0:
            raise Problem(f"--diffusion.gamma {self.gamma} must be above 0")
        if not 0 <= self.label_drop <= 1:
            raise Problem(f"--diffusion.label-drop {self.label_drop} must be 0 to 1")


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How images are sampled when a run is measured, and by `predict` unless it says otherwise."""

    sampler: Sampler = "ddim"
    """ddim: no noise on the way; ddpm: fresh noise at each step; dpm-solver: of second order, for few steps."""
    steps: int = 50
    """Times that the network is asked about each image."""
    guidance: float = 1.0
    """1 samples each class as it is; more makes its images more typical, and more alike."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise Problem(f"--sampling.steps {self.steps} must be at least 1")
        if not 0 <= self.guidance < float("inf"):
            raise Problem(f"--sampling.guidance {self.guidance} must be 0 or a number above it")
