"""A diffusion transformer (DiT; Peebles & Xie 2023, arXiv:2212.09748).

- patches of the noisy image, with fixed sines and cosines of their place (section 3.2)
- the time and the class become one vector, which shifts, scales and gates each block: adaLN-Zero (figure 3)
- blocks of attention among all patches and a feed-forward layer, around which the input is added

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch     C  channels     Y, X  rows and columns     N  patches     D  width     H  heads     F  features
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ..config import ModelConfig
from ..engine.core.errors import Problem
from ..engine.images.examples import Facts
from .embedding import Condition, sinusoids

EXPANSION = 4
"""Features inside a feed-forward layer for each of its own."""
NEARLY_ZERO = 0.01
"""Of the standard deviation that layers have: what the paper starts at zero starts there, so that every parameter has
a gradient at the first step, which `check` asks for."""


def modulated(x: Float[Tensor, "B N D"], shift: Float[Tensor, "B D"], scale: Float[Tensor, "B D"]) -> Tensor:
    """x, scaled and shifted."""
    return x * (1 + scale[:, None]) + shift[:, None]


class Block(nn.Module):
    """x + gate attention(modulated(norm(x))), then the same with a feed-forward layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d = config.d_model
        self.heads = config.heads
        self.modulation = nn.Linear(d, 6 * d)
        self.attention_norm = nn.LayerNorm(d, elementwise_affine=False)
        self.qkv = nn.Linear(d, 3 * d)
        self.mix = nn.Linear(d, d)
        self.norm = nn.LayerNorm(d, elementwise_affine=False)
        self.expand = nn.Linear(d, EXPANSION * d)
        self.project = nn.Linear(EXPANSION * d, d)

    def forward(self, x: Float[Tensor, "B N D"], condition: Float[Tensor, "B D"]) -> Float[Tensor, "B N D"]:
        shift, scale, gate, shift_2, scale_2, gate_2 = self.modulation(functional.silu(condition)).chunk(6, 1)
        x = x + gate[:, None] * self.attend(modulated(self.attention_norm(x), shift, scale))
        y = functional.gelu(self.expand(modulated(self.norm(x), shift_2, scale_2)), approximate="tanh")
        return x + gate_2[:, None] * self.project(y)

    def attend(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Every patch looks at all patches."""
        q_BHNF, k_BHNF, v_BHNF = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.mix(functional.scaled_dot_product_attention(q_BHNF, k_BHNF, v_BHNF).transpose(1, 2).flatten(2))


class DiT(nn.Module):
    """A noisy image, its time and its class to what the process wants to know of it."""

    places: Tensor

    def __init__(self, config: ModelConfig, images: Facts) -> None:
        super().__init__()
        if images.size % config.patch:
            raise Problem(f"images of {images.size} pixels have no whole patches of --model.patch {config.patch}")
        self.config = config
        d, side = config.d_model, images.size // config.patch
        self.embed = nn.Conv2d(images.channels, d, config.patch, stride=config.patch)
        self.register_buffer("places", places(side, d), persistent=False)
        self.condition = Condition(d, len(images.classes))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.modulation = nn.Linear(d, 2 * d)
        self.norm = nn.LayerNorm(d, elementwise_affine=False)
        self.output = nn.Linear(d, config.patch**2 * images.channels)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set every parameter.

        modulation, output     normal, std 0.01/sqrt(fan in): each block starts as nearly the identity, and the network
                               says nearly zero (adaLN-Zero: section 3.2)
        time and class         normal, std 0.02
        other layers           normal, std 1/sqrt(fan in)
        biases                 zero
        """
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.startswith("condition"):
                nn.init.normal_(parameter, std=0.02)
            else:
                scale = NEARLY_ZERO if "modulation" in name or name.startswith("output") else 1.0
                nn.init.normal_(parameter, std=scale / math.sqrt(parameter[0].numel()))

    def forward(
        self, x: Float[Tensor, "B C Y X"], t: Int[Tensor, " B"], y: Int[Tensor, " B"]
    ) -> Float[Tensor, "B C Y X"]:
        p = self.config.patch
        condition_BD = self.condition(t, y, x.dtype)
        x_BND = self.embed(x).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            x_BND = block(x_BND, condition_BD)
        shift_BD, scale_BD = self.modulation(functional.silu(condition_BD)).chunk(2, 1)
        x_BND = self.output(modulated(self.norm(x_BND), shift_BD, scale_BD))
        return functional.fold(x_BND.transpose(1, 2), x.shape[2:], p, stride=p)


def places(side: int, width: int) -> Float[Tensor, "N D"]:
    """Sines and cosines of the row, then of the column, of each patch."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.cat([sinusoids(place.flatten(), width // 2) for place in (rows, columns)], 1)


def flops(config: ModelConfig, images: Facts) -> float:
    """Of a forward pass, per image: two for each weight, at each of the N patches or once, and the attention.

    patches, output         2 x 2 x p² C D N, of C channels
    blocks                  2 x 12 D² N + 4 N² D + 2 x 6 D²
    time                    2 x (256 D + D²)
    last modulation         2 x 2 D²
    """
    d, n = config.d_model, (images.size // config.patch) ** 2
    ends = 2 * 2 * config.patch**2 * images.channels * d * n
    block = 2 * (4 + 2 * EXPANSION) * d**2 * n + 4 * n**2 * d + 2 * 6 * d**2
    return float(ends + config.layers * block + Condition.flops(d) + 2 * 2 * d**2)
