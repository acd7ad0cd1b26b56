"""A small U-Net in the manner of DDPM (Ho et al. 2020, arXiv:2006.11239, appendix B).

- stages at falling resolution; what each block gives on the way down is joined to its counterpart on the way up
- residual blocks of two 3 x 3 convolutions, with GroupNorm; the time and the class scale and shift the second norm
  (Dhariwal & Nichol 2021, arXiv:2105.05233, section 3)
- attention among all positions at the lowest resolution

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch     C  channels     Y, X  rows and columns     N  positions     D  width of the condition     H  heads
"""

import math
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ..config import ModelConfig
from ..engine.core.errors import Problem
from ..engine.images.examples import Facts
from .embedding import Condition

GROUPS = 8
"""Of channels that share a norm, or fewer where they do not divide."""
NEARLY_ZERO = 0.01
"""Of the standard deviation that layers have, for those that DDPM starts at zero."""


def group_norm(channels: int) -> nn.GroupNorm:
    """A norm over some channels of an image."""
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))) (1 + scale) + shift)); a 1 x 1 convolution fits x where widths differ."""

    def __init__(self, before: int, channels: int, condition: int) -> None:
        super().__init__()
        self.norm_1 = group_norm(before)
        self.conv_1 = nn.Conv2d(before, channels, 3, padding=1)
        self.modulation = nn.Linear(condition, 2 * channels)
        self.norm_2 = group_norm(channels)
        self.project = nn.Conv2d(channels, channels, 3, padding=1)
        self.fit = nn.Identity() if before == channels else nn.Conv2d(before, channels, 1)

    def forward(self, x: Float[Tensor, "B C Y X"], condition: Float[Tensor, "B D"]) -> Float[Tensor, "B C2 Y X"]:
        scale, shift = self.modulation(functional.silu(condition))[:, :, None, None].chunk(2, 1)
        y = self.conv_1(functional.silu(self.norm_1(x)))
        y = self.norm_2(y) * (1 + scale) + shift
        return self.fit(x) + self.project(functional.silu(y))


class Attention(nn.Module):
    """x + project(attention(norm(x))), among all positions."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = group_norm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "B C Y X"]) -> Float[Tensor, "B C Y X"]:
        y_BNC = self.norm(x).flatten(2).transpose(1, 2)
        q_BHNF, k_BHNF, v_BHNF = self.qkv(y_BNC).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q_BHNF, k_BHNF, v_BHNF).transpose(1, 2).flatten(2)
        return x + self.project(mixed).transpose(1, 2).unflatten(2, x.shape[2:])


def halving(channels: int) -> nn.Conv2d:
    """A 3 x 3 convolution of stride 2."""
    return nn.Conv2d(channels, channels, 3, stride=2, padding=1)


class Doubling(nn.Conv2d):
    """Each pixel becomes four, and a 3 x 3 convolution smooths them."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__(before, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "B C Y X"]) -> Float[Tensor, "B C2 Y2 X2"]:
        return super().forward(x.repeat_interleave(2, 2).repeat_interleave(2, 3))


class UNet(nn.Module):
    """A noisy image, its time and its class to what the process wants to know of it."""

    def __init__(self, config: ModelConfig, images: Facts) -> None:
        super().__init__()
        widths, last = config.widths, len(config.widths) - 1
        if images.size % 2**last:
            raise Problem(f"images of {images.size} pixels cannot be halved {last} times: name fewer --model.widths")
        self.config = config
        d = 4 * widths[0]
        self.condition = Condition(d, len(images.classes))
        self.stem = nn.Conv2d(images.channels, widths[0], 3, padding=1)
        above_it = (widths[0], *widths[:-1])  # of each stage: the channels of the one above it
        self.halvings = nn.ModuleList(
            halving(width) if stage else nn.Identity() for stage, width in enumerate(above_it)
        )
        self.down = nn.ModuleList(
            nn.ModuleList(Residual(size, width, d) for size in (before, *[width] * (config.blocks - 1)))
            for before, width in zip(above_it, widths, strict=True)
        )
        self.up = nn.ModuleList(
            nn.ModuleList(Residual(2 * width, width, d) for _ in range(config.blocks)) for width in reversed(widths)
        )
        self.doublings = nn.ModuleList(
            Doubling(widths[stage], above_it[stage]) if stage else nn.Identity() for stage in range(last, -1, -1)
        )
        self.attention = Attention(widths[-1], config.heads)
        self.norm = group_norm(widths[0])
        self.output = nn.Conv2d(widths[0], images.channels, 3, padding=1)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set every parameter.

        project, modulation, output    normal, std 0.01/sqrt(fan in): each block starts as nearly the identity
        time and class                 normal, std 0.02
        other layers                   normal, std 1/sqrt(fan in)
        norms                          one
        biases                         zero
        """
        for name, parameter in self.named_parameters():
            kind = name.split(".")[-2]
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 1:
                nn.init.ones_(parameter)
            elif name.startswith("condition"):
                nn.init.normal_(parameter, std=0.02)
            else:
                scale = NEARLY_ZERO if kind in ("project", "modulation", "output") else 1.0
                nn.init.normal_(parameter, std=scale / math.sqrt(parameter[0].numel()))

    def forward(
        self, x: Float[Tensor, "B C Y X"], t: Int[Tensor, " B"], y: Int[Tensor, " B"]
    ) -> Float[Tensor, "B C Y X"]:
        condition_BD = self.condition(t, y, x.dtype)
        x, seen = self.stem(x), []
        for shrink, blocks in zip(self.halvings, self.down, strict=True):
            x = shrink(x)
            for block in cast(nn.ModuleList, blocks):
                x = block(x, condition_BD)
                seen.append(x)
        x = self.attention(x)
        for blocks, grow in zip(self.up, self.doublings, strict=True):
            for block in cast(nn.ModuleList, blocks):
                x = block(torch.cat((x, seen.pop()), 1), condition_BD)
            x = grow(x)
        return self.output(functional.silu(self.norm(x)))


def flops(config: ModelConfig, images: Facts) -> float:
    """Of a forward pass, per image: two for each weight, at each of the positions P that it meets, and the attention.

        stem, output            2 x 9 x 2 I C P, of I channels
        residual block          2 x (9 C C' + 9 C'²) P + 2 x D 2 C', and 2 C C' P where the widths differ
        halving, doubling       2 x 9 C² P', 2 x 9 C C' P
        attention               2 x 4 C² P + 4 P² C
        time                    2 x (256 D + D²)

    Norms and activations are left out.
    """
    widths, d = config.widths, 4 * config.widths[0]
    positions = [(images.size // 2**stage) ** 2 for stage in range(len(widths))]
    total = 2 * 9 * 2 * images.channels * widths[0] * positions[0] + Condition.flops(d)
    for stage, (width, p) in enumerate(zip(widths, positions, strict=True)):
        before = widths[max(0, stage - 1)]
        down = [before] + [width] * (config.blocks - 1)
        for size in down + [2 * width] * config.blocks:
            total += 2 * 9 * (size + width) * width * p + 2 * d * 2 * width + (size != width) * 2 * size * width * p
        if stage:
            total += 2 * 9 * before**2 * p + 2 * 9 * width * before * positions[stage - 1]
    return float(total + 2 * 4 * widths[-1] ** 2 * positions[-1] + 4 * positions[-1] ** 2 * widths[-1])
