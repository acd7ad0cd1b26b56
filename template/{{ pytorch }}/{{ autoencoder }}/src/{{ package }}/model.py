"""A convolutional autoencoder, variational (Kingma & Welling 2014, arXiv:1312.6114) or deterministic.

- the encoder gives the mean and the variance of q(z | x), a Gaussian with independent latents (appendix C.2 there)
- z = mean + std x noise, so that the gradient passes through the sample (section 2.4, the reparametrisation)
- the decoder gives the mean of p(x | z); its variance is a field of the loss
- the deterministic form has no variance: its code is a point
- blocks in the manner of ConvNeXt (Liu et al. 2022, arXiv:2201.03545): a depthwise convolution, LayerNorm, a pointwise
  expansion by four, GELU and a pointwise projection, around which the input is added
- no norm over the batch: an image's code does not depend on its neighbours

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch     Y, X  rows and columns     C  channels     E  expanded channels     K  latents

Pixels lie before channels inside, (B, Y, X, C): norms and pointwise layers then work on the last dimension.
Tensors in, tensors out: no optimizer, loader, device or loop is known here.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .config import ModelConfig
from .engine.core.errors import Problem
from .engine.images.examples import Facts

EXPANSION = 4
"""Channels inside a block for each of its own."""
POSITIONS = 16
"""Along the side, after the stem, at most."""
LOWEST, HIGHEST = -30.0, 20.0
"""Between which the logarithm of a variance is kept: beyond, its exponential is zero or infinite in 16 bits."""


class Coded(NamedTuple):
    """What the model makes of images."""

    x: Float[Tensor, "B C Y X"]
    """The reconstruction: the mean of p(x | z). Its pixels may leave 0 to 1 a little."""
    mean: Float[Tensor, "B K"]
    """Of q(z | x); the code itself where the model is deterministic."""
    logvar: Float[Tensor, "B K"] | None
    """The logarithm of the variance of q(z | x); None where the model is deterministic."""


def sides(config: ModelConfig, size: int) -> tuple[int, list[int]]:
    """The pixels of a patch, and the positions along the side at each stage, of images of `size` pixels.

    Raises:
        Problem: the image cannot be cut into patches that are halved as often as there are stages.
    """
    patch = config.patch or next(2**n for n in range(size.bit_length()) if size <= 2**n * POSITIONS)
    halvings = len(config.widths) - 1
    step = patch * 2**halvings
    if size % step:
        below, above = size // step * step, (size // step + 1) * step
        raise Problem(
            f"images of {size} pixels do not come out even in patches of {patch} at {len(config.widths)} stages: take "
            f"--data.size {f'{below} or ' if below >= 8 else ''}{above}, or another --model.patch or number of stages"
        )
    return patch, [size // patch // 2**stage for stage in range(halvings + 1)]


class Convolution(nn.Conv2d):
    """A convolution of (B, Y, X, C)."""

    def forward(self, x: Float[Tensor, "B Y X C"]) -> Float[Tensor, "B Y2 X2 C2"]:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Enlarging(nn.Linear):
    """Each position becomes `side` x `side` of them: a pointwise layer whose outputs are laid out as a square."""

    def __init__(self, channels: int, out: int, side: int) -> None:
        super().__init__(channels, out * side**2)
        self.side = side

    def forward(self, x: Float[Tensor, "B Y X C"]) -> Float[Tensor, "B Y2 X2 C2"]:
        laid_BCYX = functional.pixel_shuffle(super().forward(x).permute(0, 3, 1, 2), self.side)
        return laid_BCYX.permute(0, 2, 3, 1)


class Block(nn.Module):
    """x + project(gelu(expand(norm(depthwise(x)))))."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = Convolution(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, EXPANSION * channels)
        self.project = nn.Linear(EXPANSION * channels, channels)

    def forward(self, x: Float[Tensor, "B Y X C"]) -> Float[Tensor, "B Y X C"]:
        y_BYXE = functional.gelu(self.expand(self.norm(self.depthwise(x))))
        return x + self.project(y_BYXE)


class Encoder(nn.Module):
    """Normalised images to the numbers that describe q(z | x)."""

    def __init__(self, config: ModelConfig, images: Facts) -> None:
        super().__init__()
        patch, positions = sides(config, images.size)
        widths, outputs = config.widths, config.latent * (2 if config.variational else 1)
        # Patches of one pixel see their neighbours; larger ones do not overlap (ConvNeXt, section 2.3).
        kernel, padding = (3, 1) if patch == 1 else (patch, 0)
        self.stem = Convolution(images.channels, widths[0], kernel, stride=patch, padding=padding)
        # One list, so that sharding finds the blocks; what halves an image stands before a stage's first block.
        self.blocks = nn.ModuleList()
        for stage, (width, depth) in enumerate(zip(widths, config.depths, strict=True)):
            if stage:
                self.blocks.append(
                    nn.Sequential(nn.LayerNorm(widths[stage - 1]), Convolution(widths[stage - 1], width, 2, stride=2))
                )
            self.blocks.extend(Block(width, config.kernel) for _ in range(depth))
        self.norm = nn.LayerNorm(widths[-1])
        self.output = nn.Linear(positions[-1] ** 2 * widths[-1], outputs)

    def forward(self, x: Float[Tensor, "B Y X C"]) -> Float[Tensor, "B outputs"]:
        x_BYXC = self.stem(x)
        for block in self.blocks:
            x_BYXC = block(x_BYXC)
        return self.output(self.norm(x_BYXC).flatten(1))


class Decoder(nn.Module):
    """Latents to normalised images, by the encoder's stages in reverse."""

    def __init__(self, config: ModelConfig, images: Facts) -> None:
        super().__init__()
        patch, positions = sides(config, images.size)
        widths, self.side = config.widths, positions[-1]
        self.input = nn.Linear(config.latent, self.side**2 * widths[-1])
        self.blocks = nn.ModuleList()
        for stage in reversed(range(len(widths))):
            self.blocks.extend(Block(widths[stage], config.kernel) for _ in range(config.depths[stage]))
            if stage:
                self.blocks.append(
                    nn.Sequential(nn.LayerNorm(widths[stage]), Enlarging(widths[stage], widths[stage - 1], 2))
                )
        self.norm = nn.LayerNorm(widths[0])
        # It sees the neighbours, so that patches do not end in seams.
        self.output = Convolution(widths[0], images.channels * patch**2, 3, padding=1)
        self.patch = patch

    def forward(self, z: Float[Tensor, "B K"]) -> Float[Tensor, "B Y X C"]:
        x_BYXC = self.input(z).unflatten(1, (self.side, self.side, -1))
        for block in self.blocks:
            x_BYXC = block(x_BYXC)
        x_BCYX = self.output(self.norm(x_BYXC)).permute(0, 3, 1, 2)
        return functional.pixel_shuffle(x_BCYX, self.patch).permute(0, 2, 3, 1)


class Autoencoder(nn.Module):
    """Images with pixels from 0 to 1 to latents, and back."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, images: Facts) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(images.mean))
        self.register_buffer("std", torch.tensor(images.std))
        self.encoder = Encoder(config, images)
        self.decoder = Decoder(config, images)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set every parameter.

        convolutions, linear   normal, std 1/sqrt(fan in)
        project                normal, std 1/sqrt(fan in) / sqrt(blocks), so that the sum over the blocks does not
                               grow with depth
        decoder's output       normal, std 0.1/sqrt(fan in): the first reconstruction is nearly the images' mean colour
        norms                  one
        biases                 zero
        """
        blocks = sum(self.config.depths)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                scale = 1 / math.sqrt(blocks) if name.endswith("project") else 0.1 if name == "decoder.output" else 1.0
                nn.init.normal_(module.weight, std=scale / math.sqrt(module.weight[0].numel()))
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)

    def encode(self, images: Float[Tensor, "B C Y X"]) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"] | None]:
        """Mean and logarithm of the variance of q(z | x), in float32 at least; no variance if deterministic."""
        found = self.encoder((images.permute(0, 2, 3, 1) - self.mean) / self.std)
        found = found.to(torch.promote_types(found.dtype, torch.float32))
        if not self.config.variational:
            return found, None
        mean_BK, logvar_BK = found.chunk(2, dim=1)
        return mean_BK, logvar_BK.clamp(LOWEST, HIGHEST)

    def decode(self, z: Float[Tensor, "B K"]) -> Float[Tensor, "B C Y X"]:
        """The mean of p(x | z)."""
        return (self.decoder(z) * self.std + self.mean).permute(0, 3, 1, 2)

    def forward(self, images: Float[Tensor, "B C Y X"], noise: Float[Tensor, "B K"] | None = None) -> Coded:
        """Encode and decode: at the mean of q(z | x), or `noise` standard deviations away from it.

        Noise that is drawn from N(0, I) makes z a sample of q(z | x). A point has no deviation: noise is then added
        as it is.
        """
        mean_BK, logvar_BK = self.encode(images)
        z_BK = mean_BK
        if noise is not None:
            z_BK = mean_BK + noise * (1.0 if logvar_BK is None else torch.exp(logvar_BK / 2))
        return Coded(self.decode(z_BK), mean_BK, logvar_BK)
