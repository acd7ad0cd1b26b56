"""Titans with memory as a gate (MAG; Behrouz et al. 2025, arXiv:2501.00663, section 4.2).

    x~ = [p_1 … p_N | x]                     persistent tokens, learned, in front (26)
    y  = attention(x~)                       a sliding window of W, from which the prefix is always visible (27)
    o  = norm_y(y) sigmoid(norm_m(M(x~)))    the gate (28); the paper leaves it open
    h  = rms(h + o W_O),  h = rms(h + SwiGLU(h))      a block, normed after each branch as in TRM (arXiv:2510.04871)

norm_y and norm_m are RMSNorms with a learned vector, rms is one without. The gate stands before W_O, so that a head of
the memory gates the same head of the attention, and what passes is mixed afterwards. Rotary positions (Su et al. 2021,
arXiv:2104.09864) count from the first token of x; the prefix has none. `memory.py` holds M.

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch          T  tokens in this call     S  keys that are there, of this call and before
    D  width          H  heads                   C  channels of one head, D / H
    N  persistent tokens

Tensors in, tensors out: no optimizer, loader, device or loop is known here.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..config import ModelConfig
from .neural_memory import MemoryState, NeuralMemory, wide

THETA, ETA, ALPHA = 0.0, 0.0, -6.0
"""Biases of the rates at the start: half of the largest step, half of the surprise stays, and 0.25 % are forgotten."""


@dataclass
class LayerState:
    """What a block remembers of the tokens before this call."""

    keys: Float[Tensor, "B H S C"] | None = None
    """The last W - 1."""
    values: Float[Tensor, "B H S C"] | None = None
    memory: MemoryState | None = None

    def extend(
        self, k: Float[Tensor, "B H T C"], v: Float[Tensor, "B H T C"], window: int
    ) -> tuple[Float[Tensor, "B H S C"], Float[Tensor, "B H S C"]]:
        """The keys and values that this call may see; the last of them are kept."""
        if self.keys is not None and self.values is not None:
            k, v = torch.cat((self.keys, k), dim=2), torch.cat((self.values, v), dim=2)
        first = max(0, k.shape[2] - (window - 1))
        self.keys, self.values = k[:, :, first:], v[:, :, first:]
        return k, v


@dataclass
class State:
    """Where a causal model stands in a sequence; a call with it goes on from there and changes it in place."""

    layers: list[LayerState]
    seen: int = 0
    """Tokens so far, without the persistent ones."""

    @classmethod
    def empty(cls, layers: int) -> "State":
        return cls([LayerState() for _ in range(layers)])


class Positions(NamedTuple):
    """What the attention of every block needs to know of where the tokens stand."""

    cos: Float[Tensor, "T C"]
    sin: Float[Tensor, "T C"]
    visible: Bool[Tensor, "T keys"] | None
    """Which keys, the prefix first, each token may see; None for all."""


def rotary_tables(length: int, channels: int, base: float) -> tuple[Float[Tensor, "T C"], Float[Tensor, "T C"]]:
    """Cosine and sine of position x frequency for every position (Su et al., equation 34)."""
    frequencies = base ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
    angles_TC = torch.outer(torch.arange(length, dtype=torch.float64), frequencies).repeat(1, 2)
    return angles_TC.cos().float(), angles_TC.sin().float()


def rotate(
    x: Float[Tensor, "B heads T C"], cos: Float[Tensor, "T C"], sin: Float[Tensor, "T C"]
) -> Float[Tensor, "B heads T C"]:
    """Rotate channel i together with channel i + C/2 by the angle of its position."""
    first, second = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat((-second, first), dim=-1) * sin.to(x.dtype)


def band(length: int, window: int, causal: bool) -> Bool[Tensor, "T T"]:
    """Which tokens a token may see: itself and `window` - 1 before it, and as many after it where not causal."""
    position = torch.arange(length)
    distance = position[:, None] - position
    return (distance.abs() < window) & ((distance >= 0) | (not causal))


class Attention(nn.Module):
    """Sliding-window attention with a prefix that every token sees (27); its heads are not mixed yet."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.window = config.heads, config.window
        self.projection = nn.Linear(config.width, 3 * config.width, bias=False)

    def split(self, x: Float[Tensor, "B T features"]) -> Float[Tensor, "B H T C"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        prefix: Float[Tensor, "N D"],
        positions: Positions,
        state: LayerState | None = None,
    ) -> Float[Tensor, "B T D"]:
        q, k, v = (self.split(part) for part in self.projection(x).chunk(3, dim=-1))
        q, k = (rotate(part, positions.cos, positions.sin) for part in (q, k))
        if state is not None:
            k, v = state.extend(k, v, self.window)
        prefix_k, prefix_v = functional.linear(prefix[None], self.projection.weight[x.shape[-1] :]).chunk(2, dim=-1)
        k, v = (
            torch.cat((self.split(before).expand(len(x), -1, -1, -1), part), dim=2)
            for before, part in ((prefix_k, k), (prefix_v, v))
        )
        y_BHTC = functional.scaled_dot_product_attention(q, k, v, attn_mask=positions.visible)
        return y_BHTC.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    """SwiGLU: (silu(x W_gate) * x W_up) W_down (Shazeer 2020, arXiv:2002.05202, equation 6)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.d_ff, bias=False)
        self.up = nn.Linear(config.width, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.width, bias=False)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Gate(nn.Module):
    """What the memory lets through of the attention (28)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.memory_norm = nn.RMSNorm(config.width, eps=config.norm_eps)

    def forward(self, y: Float[Tensor, "B T D"], memory: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        return self.attention_norm(wide(y)) * torch.sigmoid(self.memory_norm(memory))


class MAG(nn.Module):
    """Attention over the window and the prefix, gated by the memory; without a memory, the attention alone."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.persistent = nn.Parameter(torch.empty(config.persistent, config.width))
        self.attention = Attention(config)
        self.memory = NeuralMemory(config) if config.memory else None
        self.gate = Gate(config) if config.memory else None
        self.output = nn.Linear(config.width, config.width, bias=False)

    def forward(
        self, x: Float[Tensor, "B T D"], positions: Positions, state: LayerState | None = None
    ) -> Float[Tensor, "B T D"]:
        y_BTD = self.attention(x, self.persistent, positions, state)
        if self.memory is not None and self.gate is not None:
            y_BTD = self.gate(y_BTD, self.recall(self.memory, x, state))
        return self.output(y_BTD)

    def recall(
        self, memory: NeuralMemory, x: Float[Tensor, "B T D"], state: LayerState | None
    ) -> Float[Tensor, "B T D"]:
        """M(x~): the prefix is written before the first token, and what it reads is dropped."""
        before = None if state is None else state.memory
        if before is None:
            x = torch.cat((self.persistent.expand(len(x), -1, -1).to(x.dtype), x), dim=1)
        y_BTD, after = memory(x, before, keep=state is not None)
        if state is not None:
            state.memory = after
        return y_BTD if before is not None else y_BTD[:, len(self.persistent) :]


class Block(nn.Module):
    """rms(h + mag(h)), then rms(h + feed_forward(h))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm_eps = config.norm_eps
        self.mag = MAG(config)
        self.feed_forward = FeedForward(config)

    def norm(self, h: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        return functional.rms_norm(h, h.shape[-1:], eps=self.norm_eps)

    def forward(
        self, h: Float[Tensor, "B T D"], positions: Positions, state: LayerState | None = None
    ) -> Float[Tensor, "B T D"]:
        h = self.norm(h + self.mag(h, positions, state))
        return self.norm(h + self.feed_forward(h))


class TitansMAG(nn.Module):
    """`config.layers` blocks behind each other."""

    cos: Tensor
    sin: Tensor
    band: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        cos, sin = rotary_tables(config.length, config.width // config.heads, config.rope_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.register_buffer("band", band(config.length, config.window, config.causal), persistent=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set every parameter.

            matrices, convolution   normal, std 1/sqrt(fan in); W2 of the memory 1, since its keys have unit length
            persistent tokens       normal, std 1, as the tokens beside them have after a norm
            biases of the rates     THETA, ETA, ALPHA
            norms, memory's scale   one

        A branch needs no scale that falls with depth: what it is added to is normed behind it.
        """
        for name, parameter in self.named_parameters():
            kind = name.rsplit(".", 1)[-1]
            if kind == "bias":
                for part, value in zip(parameter.chunk(3), (THETA, ETA, ALPHA), strict=True):
                    part.fill_(value)
            elif "norm." in name or kind == "initial_scale":
                nn.init.ones_(parameter)
            else:
                nn.init.normal_(parameter, std=1 / math.sqrt(fan_in(kind, parameter)))

    def forward(self, x: Float[Tensor, "B T D"], state: State | None = None) -> Float[Tensor, "B T D"]:
        """The blocks' output.

        With a state, `x` continues what was seen: pieces of any length give what one call over all of them gives.

        Raises:
            ValueError: the positions would pass `config.length`, or there is a state and the model is not causal.
        """
        positions = self.positions(state.seen if state else 0, x.shape[1])
        if state is None:
            for block in self.blocks:
                if self.config.activation_checkpointing and self.training:
                    x = checkpoint(block, x, positions, use_reentrant=False)
                else:
                    x = block(x, positions)
            return x
        if not self.config.causal:
            raise ValueError("every token sees all others, so none can be added: --model.causal is off")
        for block, layer in zip(self.blocks, state.layers, strict=True):
            x = block(x, positions, layer)
        state.seen += x.shape[1]
        return x

    def positions(self, start: int, length: int) -> Positions:
        """Of `length` tokens after `start` others, of which the window still sees the last."""
        stop, first = start + length, max(0, start - self.config.window + 1)
        if stop > self.config.length:
            raise ValueError(f"{stop} tokens do not fit the length of {self.config.length}")
        visible = None
        if self.config.causal or self.config.window < length:
            visible = functional.pad(self.band[start:stop, first:stop], (self.config.persistent, 0), value=True)
        return Positions(self.cos[start:stop], self.sin[start:stop], visible)


def fan_in(kind: str, parameter: Tensor) -> int:
    """Inputs that one output sums over, as they lie in a parameter of that name."""
    if kind in ("persistent", "initial_up"):
        return 1
    return len(parameter) if kind == "convolution" else parameter.shape[-1]


def decayed(name: str, parameter: Tensor) -> bool:
    """Whether weight decay may apply: not to vectors, to what the memory starts from, and to persistent tokens."""
    return parameter.ndim >= 2 and not name.rsplit(".", 1)[-1].startswith(("initial_", "persistent"))
