"""Tokens a second of our transformer and trainer against a plain GPT-2-shaped loop, at nanoGPT's CPU configuration.

The peer is what nanoGPT's README trains on a CPU: 4 layers, 4 heads, 128 features, 64 tokens, batches of 12, in
float32 without torch.compile (which is measured too), with learned positions, LayerNorm and GELU, and a loop that
reads the loss every ten steps. Its AdamW is fused, which nanoGPT's own is not on a CPU. Ours has about as many
parameters.
"""

import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loops import WARM_UP, Subject, median_step, noted
from loops import ours as fit
from torch import Tensor, nn
from torch.nn import functional as F

LAYERS, HEADS, WIDTH, CONTEXT, BATCH, VOCABULARY = 4, 4, 128, 64, 12, 257
HIDDEN = 336
"""Of ours: three matrices of this width hold as much as the peer's two of 512, to 2 %."""


class PeerBlock(nn.Module):
    """GPT-2's block (Radford et al. 2019) without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH, bias=False) for _ in range(2))
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.projection = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        split = self.qkv(self.norms[0](x)).split(WIDTH, dim=2)
        q, k, v = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in split)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(y.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class Peer(nn.Module):
    """Token ids to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(PeerBlock() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for p in self.parameters():
            if p.ndim == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight)


@dataclass(frozen=True)
class Mode:
    """How a loop runs its model."""

    bf16: bool = False
    compiled: bool = False

    def __str__(self) -> str:
        return ("fp32", "bf16")[self.bf16] + (" and compiled" if self.compiled else "")


def peer(data: np.ndarray, steps: int, mode: Mode) -> list[float]:
    """The loop of nanoGPT on a CPU, in few words."""
    torch.manual_seed(0)
    model = Peer()
    network = torch.compile(model) if mode.compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    times = noted(optimizer)
    for step in range(steps):
        starts = torch.randint(len(data) - CONTEXT, (BATCH,)).tolist()
        x = torch.stack([torch.from_numpy(data[i : i + CONTEXT].astype(np.int64)) for i in starts])
        y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + CONTEXT].astype(np.int64)) for i in starts])
        with torch.autocast("cpu", torch.bfloat16, enabled=mode.bf16):
            loss = F.cross_entropy(network(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 10 == 0:
            loss.item()
    return times


def ours(steps: int, mode: Mode, folder: Path) -> tuple[list[float], Any]:
    """The rendered transformer and trainer at the same configuration."""
    subject = Subject.of("transformer_demo", "smoke", steps - WARM_UP)
    model = replace(
        subject.config.model, vocab_size=VOCABULARY, context=CONTEXT, width=WIDTH, layers=LAYERS, heads=HEADS
    )
    model = replace(model, kv_heads=HEADS, hidden=HIDDEN)
    train = replace(subject.config.train, batch=BATCH, micro_batch=BATCH, learning_rate=1e-3)
    train = replace(train, compile="on" if mode.compiled else "off")
    config = replace(subject.config, model=model, train=train)
    device = type(subject.device)("cpu", bf16=mode.bf16)
    subject = replace(subject, config=config, task=config.task(), device=device)
    return fit(subject, folder), subject


@dataclass(frozen=True)
class Rate:
    """Medians over the turns."""

    ours: float
    """Tokens a second."""
    peer: float
    ratio: float
    """Of ours to the peer's, within a turn."""
    sizes: tuple[int, int]
    """Parameters of ours and of the peer."""


def compare(mode: Mode, peer_mode: Mode, turns: int, steps: int = 120) -> Rate:
    """Our tokens a second and the peer's, by turns, each in its mode."""
    pairs = []
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as folder:
            times, subject = ours(steps, mode, Path(folder))
        mine = median_step(times)
        pairs.append((mine, median_step(peer(subject.task.text.tokens("train"), steps, peer_mode))))
    tokens = BATCH * CONTEXT
    sizes = [sum(p.numel() for p in model.parameters()) for model in (subject.task.model(), Peer())]
    return Rate(
        tokens / statistics.median(mine for mine, _ in pairs),
        tokens / statistics.median(theirs for _, theirs in pairs),
        statistics.median(theirs / mine for mine, theirs in pairs),
        (sizes[0], sizes[1]),
    )
