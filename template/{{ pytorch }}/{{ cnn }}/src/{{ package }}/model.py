"""A compact convolutional network in the manner of ConvNeXt (Liu et al. 2022, arXiv:2201.03545).

- blocks of a depthwise convolution, LayerNorm, a pointwise expansion by four, GELU and a pointwise projection, around
  which the input is added (figure 4)
- stages at falling resolution; between two, a LayerNorm and a 2 x 2 convolution with stride 2 (section 2.6)
- stochastic depth: a block is skipped for some of the images (Huang et al. 2016, arXiv:1603.09382)
- no norm over the batch: an image's logits do not depend on its neighbours

The stem takes patches of 1, 2 or 4 pixels, so that small images keep their resolution, and the filters are small.

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch     Y, X  rows and columns     C  channels     E  expanded channels     K  classes

Pixels lie before channels inside, (B, Y, X, C): norms and pointwise layers then work on the last dimension.
Tensors in, tensors out: no optimizer, loader, device or loop is known here.
"""

import math

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
"""Along the side, after the stem, if the image is large enough."""


def sides(config: ModelConfig, size: int) -> tuple[int, list[int]]:
    """The pixels of a patch, and the positions along the side at each stage, of images of `size` pixels.

    Raises:
        Problem: the image does not have as many patches, or they cannot be halved as often.
    """
    patch = config.patch or next((patch for patch in (4, 2) if size >= patch * POSITIONS), 1)
    positions = [size // patch // 2**stage for stage in range(len(config.widths))]
    if size % patch or positions[-1] < 1:
        raise Problem(
            f"images of {size} pixels, in patches of {patch}, cannot be halved for {len(positions)} stages: name fewer "
            "with --model.widths and --model.depths, or change --model.patch or --data.size"
        )
    return patch, positions


class Convolution(nn.Conv2d):
    """A convolution of (B, Y, X, C)."""

    def forward(self, x: Float[Tensor, "B Y X C"]) -> Float[Tensor, "B Y2 X2 C2"]:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Block(nn.Module):
    """x + project(gelu(expand(norm(depthwise(x)))))."""

    def __init__(self, channels: int, kernel: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.depthwise = Convolution(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, EXPANSION * channels)
        self.project = nn.Linear(EXPANSION * channels, channels)

    def forward(self, x: Float[Tensor, "B Y X C"]) -> Float[Tensor, "B Y X C"]:
        y_BYXE = functional.gelu(self.expand(self.norm(self.depthwise(x))))
        return x + self.skipped(self.project(y_BYXE))

    def skipped(self, y: Float[Tensor, "B Y X C"]) -> Float[Tensor, "B Y X C"]:
        """While training, zero for a share `drop` of the images; the others grow, so that the mean stays."""
        if not self.training or self.drop == 0:
            return y
        kept_B = torch.rand(len(y), 1, 1, 1, device=y.device, dtype=y.dtype) >= self.drop
        return y * kept_B / (1 - self.drop)


class ConvNet(nn.Module):
    """Images with pixels from 0 to 1 to the logits of each class."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, images: Facts) -> None:
        super().__init__()
        self.config = config
        patch, _ = sides(config, images.size)
        # A run keeps them in its images.json.
        self.register_buffer("mean", torch.tensor(images.mean), persistent=False)
        self.register_buffer("std", torch.tensor(images.std), persistent=False)
        # Patches of one pixel see their neighbours; larger ones do not overlap (ConvNeXt, section 2.3).
        kernel, padding = (3, 1) if patch == 1 else (patch, 0)
        self.stem = Convolution(images.channels, config.widths[0], kernel, stride=patch, padding=padding)
        self.stem_norm = nn.LayerNorm(config.widths[0])
        blocks = sum(config.depths)
        drops = iter([config.drop_path * number / max(1, blocks - 1) for number in range(blocks)])
        # One list, so that sharding finds the blocks; what halves an image stands before a stage's first block.
        self.blocks = nn.ModuleList()
        for stage, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            if stage:
                before = config.widths[stage - 1]
                self.blocks.append(nn.Sequential(nn.LayerNorm(before), Convolution(before, width, 2, stride=2)))
            self.blocks.extend(Block(width, config.kernel, next(drops)) for _ in range(depth))
        self.norm = nn.LayerNorm(config.widths[-1])
        self.output = nn.Linear(config.widths[-1], len(images.classes))
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set every parameter.

        convolutions, expand   normal, std 1/sqrt(fan in)
        project                normal, std 1/sqrt(fan in) / sqrt(blocks), so that the sum over the blocks does not
                               grow with depth
        output                 normal, std 0.1/sqrt(fan in): the loss starts near ln K
        norms                  one
        biases                 zero
        """
        blocks = sum(self.config.depths)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                scale = 1 / math.sqrt(blocks) if name.endswith("project") else 0.1 if name == "output" else 1.0
                nn.init.normal_(module.weight, std=scale / math.sqrt(module.weight[0].numel()))
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)

    def features(self, images: Float[Tensor, "B C Y X"]) -> Float[Tensor, "B D Y2 X2"]:
        """What the last block gives."""
        x_BYXC = (images.permute(0, 2, 3, 1) - self.mean) / self.std
        x_BYXC = self.stem_norm(self.stem(x_BYXC))
        for block in self.blocks:
            x_BYXC = block(x_BYXC)
        return x_BYXC.permute(0, 3, 1, 2)

    def classify(self, features: Float[Tensor, "B D Y2 X2"]) -> Float[Tensor, "B K"]:
        """The logits of such features."""
        return self.output(self.norm(features.mean((2, 3))))

    def forward(self, images: Float[Tensor, "B C Y X"]) -> Float[Tensor, "B K"]:
        return self.classify(self.features(images))
