"""The fields of the model, of its data and of the loss, with what each may be."""

import math
from dataclasses import dataclass

from .engine.core.errors import Problem
from .engine.images.config import ImageConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig(ImageConfig):
    """Which images, and what training does to them."""

    flip: bool = False
    """Training images are mirrored half of the time: right for photographs, wrong for writing."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the network, and which of the two it is."""

    latent: int
    """Numbers that an image is encoded in."""
    variational: bool = True
    """Encode an image as a distribution, from which new images can be sampled; without, as a point."""
    patch: int = 0
    """Pixels along the side that the stem takes together, a power of two; 0 takes what leaves at most 16 positions."""
    widths: tuple[int, ...]
    """Channels of each stage of the encoder; the image is halved between two. The decoder has them in reverse."""
    depths: tuple[int, ...]
    """Blocks of each stage."""
    kernel: int = 3
    """Pixels along the side of a depthwise filter."""

    def __post_init__(self) -> None:
        if self.latent < 1:
            raise Problem(f"--model.latent {self.latent} must be at least 1")
        if not self.widths or len(self.widths) != len(self.depths):
            raise Problem(f"--model.widths {self.widths} and --model.depths {self.depths} must name the same stages")
        if min(*self.widths, *self.depths) < 1:
            raise Problem("--model.widths and --model.depths must be at least 1")
        if self.patch < 0 or self.patch & (self.patch - 1):
            raise Problem(f"--model.patch {self.patch} must be 0 or a power of two")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise Problem(f"--model.kernel {self.kernel} must be odd")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What a pixel's error weighs, and what the latents cost."""

    variance: float = 0.01
    """Of the noise that a pixel is taken to have, at brightness from 0 to 1: the smaller, the more its error weighs."""
    beta: float = 1.0
    """Weight of the KL divergence; 1 is the evidence lower bound."""
    free_bits: float = 0.0
    """Nats that each latent may use of an image without cost."""
    kl_warmup_steps: int = 300
    """Steps over which the weight of the KL divergence rises from zero, so that latents are in use before they cost."""

    def __post_init__(self) -> None:
        if not 0 < self.variance < math.inf:
            raise Problem(f"--loss.variance {self.variance} must be above 0")
        if not 0 < self.beta < math.inf:
            raise Problem(f"--loss.beta {self.beta} must be above 0; --model.no-variational is the model without")
        if not 0 <= self.free_bits < math.inf:
            raise Problem(f"--loss.free-bits {self.free_bits} must be 0 or above")
        if self.kl_warmup_steps < 0:
            raise Problem(f"--loss.kl-warmup-steps {self.kl_warmup_steps} must be 0 or above")
