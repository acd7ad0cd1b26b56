"""A decoder-only transformer language model.

- pre-norm residual blocks with RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467)
- rotary position embedding (Su et al. 2021, arXiv:2104.09864)
- grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245) through PyTorch's fused kernel
- SwiGLU feed-forward (Shazeer 2020, arXiv:2002.05202)
- one matrix for the input embedding and the output projection (Press & Wolf 2017, arXiv:1608.05859)
- no biases

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch          T  tokens in this call     V  vocabulary
    D  width          H  query heads             K  key and value heads     C  channels of one head

Tensors in, tensors out: no optimizer, loader, device or loop is known here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .config import ModelConfig


@dataclass
class Cache:
    """Keys and values of the tokens seen so far, one pair a layer, each (B, K, seen, C)."""

    keys: list[Tensor]
    values: list[Tensor]

    @classmethod
    def empty(cls, layers: int) -> "Cache":
        return cls([torch.empty(0)] * layers, [torch.empty(0)] * layers)

    @property
    def seen(self) -> int:
        """How many tokens the cache holds."""
        return self.keys[0].shape[-2] if self.keys[0].numel() else 0

    def extend(
        self, layer: int, k: Float[Tensor, "B K T C"], v: Float[Tensor, "B K T C"]
    ) -> tuple[Float[Tensor, "B K S C"], Float[Tensor, "B K S C"]]:
        """Append this call's keys and values and return all of them."""
        if self.keys[layer].numel():
            k = torch.cat((self.keys[layer], k), dim=2)
            v = torch.cat((self.values[layer], v), dim=2)
        self.keys[layer], self.values[layer] = k, v
        return k, v


def rotary_tables(context: int, channels: int, base: float) -> tuple[Float[Tensor, "T C"], Float[Tensor, "T C"]]:
    """Cosine and sine of position x frequency for every position (Su et al., equation 34)."""
    frequencies = base ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
    angles_TC = torch.outer(torch.arange(context, dtype=torch.float64), frequencies).repeat(1, 2)
    return angles_TC.cos().float(), angles_TC.sin().float()


def rotate(
    x: Float[Tensor, "B heads T C"], cos: Float[Tensor, "T C"], sin: Float[Tensor, "T C"]
) -> Float[Tensor, "B heads T C"]:
    """Rotate channel i together with channel i + C/2 by the angle of its position."""
    first, second = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat((-second, first), dim=-1) * sin.to(x.dtype)


class Attention(nn.Module):
    """Causal self-attention in which several query heads share one key and value head."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.heads, self.kv_heads = config.heads, config.kv_heads
        self.channels = config.width // config.heads
        self.dropout = config.dropout
        self.query = nn.Linear(config.width, config.heads * self.channels, bias=False)
        self.key = nn.Linear(config.width, config.kv_heads * self.channels, bias=False)
        self.value = nn.Linear(config.width, config.kv_heads * self.channels, bias=False)
        self.output = nn.Linear(config.heads * self.channels, config.width, bias=False)

    def split(self, x: Float[Tensor, "B T features"], heads: int) -> Float[Tensor, "B heads T C"]:
        return x.unflatten(-1, (heads, self.channels)).transpose(1, 2)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        cos: Float[Tensor, "T C"],
        sin: Float[Tensor, "T C"],
        cache: Cache | None = None,
    ) -> Float[Tensor, "B T D"]:
        q_BHTC = rotate(self.split(self.query(x), self.heads), cos, sin)
        k_BKTC = rotate(self.split(self.key(x), self.kv_heads), cos, sin)
        v_BKTC = self.split(self.value(x), self.kv_heads)
        if cache is not None:
            k_BKTC, v_BKTC = cache.extend(self.layer, k_BKTC, v_BKTC)
        y_BHTC = functional.scaled_dot_product_attention(
            q_BHTC,
            k_BKTC,
            v_BKTC,
            attn_mask=self.mask(q_BHTC, k_BKTC),
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=q_BHTC.shape[2] == k_BKTC.shape[2],
            enable_gqa=self.heads != self.kv_heads,
        )
        return self.output(y_BHTC.transpose(1, 2).flatten(2))

    @staticmethod
    def mask(q: Tensor, k: Tensor) -> Tensor | None:
        """Which keys each query may see where the cache makes the two lengths differ; else the kernel's own."""
        new, seen = q.shape[2], k.shape[2] - q.shape[2]
        if seen == 0:
            return None
        return torch.ones(new, seen + new, dtype=torch.bool, device=q.device).tril(seen)


class FeedForward(nn.Module):
    """SwiGLU: (silu(x W_gate) * x W_up) W_down (Shazeer, equation 6)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.d_ff, bias=False)
        self.up = nn.Linear(config.width, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.width, bias=False)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        cos: Float[Tensor, "T C"],
        sin: Float[Tensor, "T C"],
        cache: Cache | None = None,
    ) -> Float[Tensor, "B T D"]:
        x = x + self.dropout(self.attention(self.attention_norm(x), cos, sin, cache))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class Transformer(nn.Module):
    """Token ids to the logits of each next token."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        cos, sin = rotary_tables(config.context_length, config.width // config.heads, config.rope_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set every parameter.

            embedding                     normal, std 0.02
            query, key, value, gate, up   normal, std 1/sqrt(fan in)
            output, down                  normal, std 1/sqrt(fan in) / sqrt(2 layers), so that the residual
                                          stream's variance does not grow with depth (GPT-2)
            norms                         one

        The embedding is also the output projection: at std 0.02 the first logits are near zero, and the loss
        starts near ln V.
        """
        nn.init.normal_(self.embedding.weight, std=0.02)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                std = 1 / math.sqrt(module.in_features)
                if name.endswith(("output", "down")):
                    std /= math.sqrt(2 * self.config.layers)
                nn.init.normal_(module.weight, std=std)
            elif isinstance(module, nn.RMSNorm):
                nn.init.ones_(module.weight)

    def forward(self, tokens: Int[Tensor, "B T"], cache: Cache | None = None) -> Float[Tensor, "B T V"]:
        """Logits of the token that follows each position.

        With a cache, `tokens` continue what it holds, and the cache is extended in place.

        Raises ValueError when the positions would pass `config.context`.
        """
        start = cache.seen if cache else 0
        stop = start + tokens.shape[1]
        if stop > self.config.context_length:
            raise ValueError(f"{stop} tokens do not fit the context of {self.config.context_length}")
        cos, sin = self.cos[start:stop], self.sin[start:stop]
        x_BTD = self.dropout(self.embedding(tokens))
        for block in self.blocks:
            if self.config.activation_checkpointing and self.training:
                x_BTD = checkpoint(block, x_BTD, cos, sin, use_reentrant=False)
            else:
                x_BTD = block(x_BTD, cos, sin, cache)
        return functional.linear(self.norm(x_BTD), self.embedding.weight)

    def stream(self) -> Callable[[Tensor], Tensor]:
        """A function from the next tokens (B, T) to the logits (B, V) after the last, with a cache of its own."""
        cache = Cache.empty(self.config.layers)
        return lambda tokens: self(tokens, cache)[:, -1]
