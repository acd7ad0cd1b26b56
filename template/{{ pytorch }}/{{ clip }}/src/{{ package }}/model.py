"""Two towers that bring images and captions to one space, as in CLIP (Radford et al. 2021, arXiv:2103.00020).

- image, vit: a vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929): the patches, a class token and learned
  positions; a LayerNorm before the first block (CLIP, section 2.4); what stands at the class token is the image's
- image, cnn: in the manner of ConvNeXt (Liu et al. 2022, arXiv:2201.03545): patches, blocks around a depthwise
  convolution, half as many rows and columns of twice the channels at each stage; the mean over them is the image's
- caption: a transformer with causal attention; what stands at the end of the text is the caption's (CLIP, section 2.4)
- blocks normalise first; both outputs are normed, projected without bias to one width, and brought to length 1
- a learned scale: exp(t) in CLIP, figure 3, at most 100 (section 2.5); with SigLIP's loss, a bias too (Zhai et al.
  2023, arXiv:2303.15343, algorithm 1)
- GradCache (Gao et al. 2021, arXiv:2101.06983): the towers take a part of the batch at a time, and keep nothing of it;
  in the backward pass, each part goes through them again

Dimensions, as they appear in annotations and as suffixes of local names:

    B  images     N  captions     C  colours     Y, X  rows and columns     P  patches     L  tokens of a caption
    T  positions     D  channels of a tower     H  heads     K  channels of a head     E  embedding

Tensors in, tensors out: no optimizer, loader, device or loop is known here.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .config import LossConfig, ModelConfig
from .engine.core.errors import Problem
from .engine.images.captions import END_TOKEN
from .engine.images.examples import Facts

EXPANSION = 4
"""Channels inside a block for each of its own."""
KERNEL = 5
"""Pixels along the side of a depthwise filter."""
COARSEST = 8
"""Positions along the side, at most, at which a convolutional tower is halved no more."""
LARGEST_SCALE = 100.0
"""CLIP, section 2.5: logits are scaled by no more, which keeps training stable."""
FIRST_SCALE = {"infonce": 1 / 0.07, "siglip": 10.0}
"""CLIP, section 2.5; SigLIP, section 3.2."""
FIRST_BIAS = -10.0
"""SigLIP, section 3.2: at first, nearly no pair is taken to belong together, as is so."""


class Features(NamedTuple):
    """What the two towers say of a batch."""

    image: Float[Tensor, "B E"]
    """Of length 1."""
    text: Float[Tensor, "N E"]
    """Of length 1."""
    scale: Float[Tensor, "1"]
    bias: Float[Tensor, "1"]


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        q_BHTK, k_BHTK, v_BHTK = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        y_BHTK = functional.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=self.causal)
        return self.output(y_BHTK.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """x + attention(norm(x)), then x + project(gelu(expand(norm(x))))."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.expand = nn.Linear(width, EXPANSION * width)
        self.project = nn.Linear(EXPANSION * width, width)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        x = x + self.attention(self.attention_norm(x))
        return x + self.project(functional.gelu(self.expand(self.mlp_norm(x))))


class ImageTower(nn.Module):
    """Images with pixels from 0 to 1 to embeddings of length 1, by attention."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, images: Facts) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(images.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(images.std)[:, None, None])
        self.patches = nn.Conv2d(images.channels, config.width, config.patch, stride=config.patch, bias=False)
        self.start = nn.Parameter(torch.empty(config.width))
        self.positions = nn.Embedding(positions(config, images.size) ** 2 + 1, config.width)
        self.first_norm = nn.LayerNorm(config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads, causal=False) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, config.embedding, bias=False)

    def forward(self, images: Float[Tensor, "B C Y X"]) -> Float[Tensor, "B E"]:
        x_BPD = self.patches((images - self.mean) / self.std).flatten(2).transpose(1, 2)
        # z_0 = [x_class; x_1 E; x_2 E; ...] + E_pos (Dosovitskiy et al. 2021, equation 1).
        x_BTD = torch.cat((self.start.expand(x_BPD.shape[0], 1, -1), x_BPD), 1) + self.positions.weight
        x_BTD = self.first_norm(x_BTD)
        for block in self.blocks:
            x_BTD = block(x_BTD)
        return unit(self.output(self.norm(x_BTD[:, 0])))


class Convolution(nn.Conv2d):
    """A convolution of (B, Y, X, D): norms and linear layers then work on the last dimension."""

    def forward(self, x: Float[Tensor, "B Y X D"]) -> Float[Tensor, "B Y2 X2 D2"]:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class ConvBlock(nn.Module):
    """x + project(gelu(expand(norm(depthwise(x))))) (ConvNeXt, figure 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = Convolution(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, EXPANSION * width)
        self.project = nn.Linear(EXPANSION * width, width)

    def forward(self, x: Float[Tensor, "B Y X D"]) -> Float[Tensor, "B Y X D"]:
        return x + self.project(functional.gelu(self.expand(self.norm(self.depthwise(x)))))


class ConvTower(nn.Module):
    """Images with pixels from 0 to 1 to embeddings of length 1, by convolutions."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, images: Facts) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(images.mean))
        self.register_buffer("std", torch.tensor(images.std))
        widths = [width for _, width in conv_stages(config, images.size)]
        self.patches = Convolution(images.channels, widths[0], config.patch, stride=config.patch)
        self.first_norm = nn.LayerNorm(widths[0])
        # One list, so that sharding finds the blocks; what halves an image stands before a stage's first block.
        self.blocks = nn.ModuleList(ConvBlock(widths[0]) for _ in range(config.layers))
        for before, width in pairwise(widths):
            self.blocks.append(nn.Sequential(nn.LayerNorm(before), Convolution(before, width, 2, stride=2)))
            self.blocks.extend(ConvBlock(width) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, config.embedding, bias=False)

    def forward(self, images: Float[Tensor, "B C Y X"]) -> Float[Tensor, "B E"]:
        x_BYXD = self.first_norm(self.patches((images.permute(0, 2, 3, 1) - self.mean) / self.std))
        for block in self.blocks:
            x_BYXD = block(x_BYXD)
        return unit(self.output(self.norm(x_BYXD.mean((1, 2)))))


def positions(config: ModelConfig, size: int) -> int:
    """The patches along the side of images of `size` pixels.

    Raises:
        Problem: they do not cover the image.
    """
    if size % config.patch:
        raise Problem(f"images of {size} pixels cannot be cut into patches: change --model.patch {config.patch}")
    return size // config.patch


def conv_stages(config: ModelConfig, size: int) -> list[tuple[int, int]]:
    """The positions along the side and the channels at each stage of a ConvTower, for images of `size` pixels."""
    sides = [positions(config, size)]
    while sides[-1] > COARSEST:
        sides.append(sides[-1] // 2)
    return [(side, max(1, config.width // 2**halvings)) for halvings, side in enumerate(sides[::-1])][::-1]


class TextTower(nn.Module):
    """Captions, whose tokens end with END_TOKEN and are filled up with it, to embeddings of length 1."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.text_width)
        self.positions = nn.Embedding(config.context_length, config.text_width)
        self.blocks = nn.ModuleList(
            Block(config.text_width, config.text_heads, causal=True) for _ in range(config.text_layers)
        )
        self.norm = nn.LayerNorm(config.text_width)
        self.output = nn.Linear(config.text_width, config.embedding, bias=False)

    def forward(self, tokens: Int[Tensor, "N L"]) -> Float[Tensor, "N E"]:
        x_NLD = self.tokens(tokens) + self.positions.weight
        for block in self.blocks:
            x_NLD = block(x_NLD)
        # The first end: as attention is causal, what fills the places behind it changes nothing.
        end_N = (tokens == END_TOKEN).int().argmax(1)
        x_ND = self.norm(x_NLD[torch.arange(tokens.shape[0], device=tokens.device), end_N])
        return unit(self.output(x_ND))


def unit(x: Float[Tensor, "B E"]) -> Float[Tensor, "B E"]:
    """The vectors at length 1, in float32 or finer: what is compared should not be rounded before."""
    return functional.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1)


class AtMost(torch.autograd.Function):
    """The smaller of x and a bound. Beyond it, only a gradient that leads back below is passed on."""

    @staticmethod
    def forward(ctx: "AtMost", x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)  # type: ignore[attr-defined]
        ctx.bound = bound  # type: ignore[attr-defined]
        return x.clamp(max=bound)

    @staticmethod
    def backward(ctx: "AtMost", gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return torch.where(x < ctx.bound, gradient, gradient.clamp(min=0)), None  # type: ignore[attr-defined]


class Clip(nn.Module):
    """Images and captions to features that are compared by their inner products."""

    def __init__(self, config: ModelConfig, loss: LossConfig, images: Facts) -> None:
        super().__init__()
        self.config, self.chunk, self.kind = config, loss.chunk, loss.kind
        self.image = (ConvTower if config.image_tower == "cnn" else ImageTower)(config, images)
        self.text = TextTower(config)
        # Of one element each, and no scalars, which cannot be sharded.
        self.log_scale = nn.Parameter(torch.empty(1))
        if loss.kind == "siglip":
            self.bias = nn.Parameter(torch.empty(1))
        else:
            self.register_buffer("bias", torch.zeros(1), persistent=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set every parameter.

        attention, expand, output   normal, std 1/sqrt(fan in); convolutions likewise
        attention.output, project   normal, std 1/sqrt(fan in) / sqrt(their number), so that the sum over the blocks
                                    does not grow with depth
        tokens, positions, start    normal, std 0.02, 0.01 and 1/sqrt(channels)
        norms                       one
        biases                      zero; SigLIP's -10
        log_scale                   ln(1/0.07), SigLIP's ln 10
        """
        for tower in (self.image, self.text):
            last = {name for name, _ in tower.named_modules() if name.endswith(("attention.output", "project"))}
            for name, module in tower.named_modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    scale = 1 / math.sqrt(len(last)) if name in last else 1.0
                    nn.init.normal_(module.weight, std=scale / math.sqrt(module.weight[0].numel()))
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
                elif isinstance(module, nn.Embedding):
                    nn.init.normal_(module.weight, std=0.02 if name == "tokens" else 0.01)
        if isinstance(self.image, ImageTower):
            nn.init.normal_(self.image.start, std=1 / math.sqrt(self.config.width))
        nn.init.constant_(self.log_scale, math.log(FIRST_SCALE[self.kind]))
        nn.init.constant_(self.bias, FIRST_BIAS if self.kind == "siglip" else 0.0)

    def forward(self, images: Float[Tensor, "B C Y X"], tokens: Int[Tensor, "N L"]) -> Features:
        return Features(
            in_parts(self.image, images, self.chunk),
            in_parts(self.text, tokens, self.chunk),
            self.scale(),
            self.bias,
        )

    def scale(self) -> Float[Tensor, "1"]:
        """What cosines are multiplied by: the inverse of a temperature."""
        scale: Tensor = AtMost.apply(self.log_scale, math.log(LARGEST_SCALE)).exp()
        return scale


def in_parts(tower: nn.Module, inputs: Tensor, chunk: int) -> Tensor:
    """What a tower says of all inputs, `chunk` at a time without keeping what the backward pass needs of them.

    That recomputes each part with gradient, when what the loss has to say of its features is known: the cached
    gradients of GradCache (Gao et al. 2021, section 3.2).
    """
    if not chunk or not torch.is_grad_enabled():
        features: Tensor = tower(inputs)
        return features
    return torch.cat([checkpoint(tower, part, use_reentrant=False) for part in inputs.split(chunk)])
