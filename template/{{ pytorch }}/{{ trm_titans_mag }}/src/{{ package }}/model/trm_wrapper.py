"""TRM's recursion: one small network that improves its own answer (Jolicoeur-Martineau 2025, arXiv:2510.04871).

    repeat T times, without gradient but for the last:
        repeat n times:  z <- f(z + y + x)      reason: the latent state, given the question and the answer so far
        y <- f(y + z)                           answer: the same network, without the question

With n = 0 nothing is reasoned: y <- f(y + x), and where T is 1 too, f is called once, as in a plain transformer.

Deep supervision goes on from the y and z of one call in the next, detached.

Dimensions, as they appear in annotations:

    B  batch     T  positions     D  width
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..config import ModelConfig
from .titans_mag import State


class Latent(NamedTuple):
    """What the recursion works on."""

    y: Float[Tensor, "B T D"]
    """The embedded answer."""
    z: Float[Tensor, "B T D"]
    """The latent reasoning."""


class Recursion(nn.Module):
    """T cycles of n latent steps and one answer each.

    Each call of `f` begins with its own empty memory: one that was carried from a pass over the sequence into the next
    would tell early positions of later ones.
    """

    y0: Tensor
    z0: Tensor

    def __init__(self, f: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.f = f
        self.cycles, self.inner = config.cycles, config.inner
        self.graded = 1
        """How many of the last cycles have a gradient."""
        self.register_buffer("y0", torch.empty(config.width))
        self.register_buffer("z0", torch.empty(config.width))

    @torch.no_grad()
    def initialise(self) -> None:
        """y0 and z0: normal, std 1, cut at 2. They stay as they are."""
        for start in (self.y0, self.z0):
            nn.init.trunc_normal_(start, std=1.0)

    @property
    def calls(self) -> int:
        """How often `f` is called."""
        return self.cycles * (self.inner + 1)

    def begin(self, x: Float[Tensor, "B T D"], latent: Latent | None, fresh: Bool[Tensor, "B"] | None) -> Latent:
        """The state to go on from: y0 and z0 where there is none, or a row is fresh."""
        if latent is None:
            return Latent(self.y0.expand_as(x), self.z0.expand_as(x))
        if fresh is None:
            return latent
        row = fresh[:, None, None]
        return Latent(torch.where(row, self.y0, latent.y), torch.where(row, self.z0, latent.z))

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        latent: Latent | None = None,
        fresh: Bool[Tensor, "B"] | None = None,
        states: Sequence[State] | None = None,
    ) -> Latent:
        """The state after T cycles. `states` hold, for each call of `f`, what came before x in a stream."""
        y, z = self.begin(x, latent, fresh)
        for cycle in range(self.cycles):
            mine = states[cycle * (self.inner + 1) :] if states else None
            if cycle < self.cycles - self.graded:
                with torch.no_grad():
                    y, z = self.cycle(x, y, z, mine)
            else:
                y, z = self.cycle(x, y, z, mine)
        return Latent(y, z)

    def cycle(
        self,
        x: Float[Tensor, "B T D"],
        y: Float[Tensor, "B T D"],
        z: Float[Tensor, "B T D"],
        states: Sequence[State] | None,
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B T D"]]:
        for step in range(self.inner):
            z = self.f(z + (y + x), states[step] if states else None)
        known = z if self.inner else x
        return self.f(y + known, states[self.inner] if states else None), z
