"""What the network says of the next difference: a number, quantiles, or a distribution.

    point       ŷ                                  squared error
    quantiles   one for each of `LEVELS`           pinball loss (Koenker & Bassett 1978), whose mean approximates CRPS
    student     location, scale, degrees of freedom of Student's t     minus the logarithm of the density

A head turns the last dimension of what the network says, P numbers for each target, into any of these. It has no
weights.

Dimensions: … batch, steps and targets     P  numbers said of each     Q  levels
"""

import math
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..engine.series.metrics import LEVELS

FLOOR = 1e-4
"""Of a scale, in deviations of the difference."""


class Point:
    """A number, and no doubt."""

    size = 1

    def loss(self, said: Float[Tensor, "... P"], goal: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return (said[..., 0] - goal) ** 2

    def center(self, said: Float[Tensor, "... P"]) -> Float[Tensor, "..."]:
        return said[..., 0]

    def draw(self, said: Float[Tensor, "... P"], uniform: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
        """Always the same."""
        return said[..., 0]


class Quantiles:
    """One value for each level."""

    size = len(LEVELS)

    def values(self, said: Float[Tensor, "... P"]) -> Float[Tensor, "... Q"]:
        """The lowest, and above each a step that is positive: they cannot cross."""
        steps = torch.cat((said[..., :1], functional.softplus(said[..., 1:])), -1)
        return torch.stack(list(accumulate(steps.unbind(-1), torch.add)), -1)  # CUDA has no deterministic cumsum

    def loss(self, said: Float[Tensor, "... P"], goal: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Twice the mean pinball loss over the levels."""
        off = goal[..., None] - self.values(said)
        level = torch.tensor(LEVELS).to(off)
        return 2 * torch.maximum(level * off, (level - 1) * off).mean(-1)

    def center(self, said: Float[Tensor, "... P"]) -> Float[Tensor, "..."]:
        """The median."""
        return self.values(said)[..., len(LEVELS) // 2]

    def draw(self, said: Float[Tensor, "... P"], uniform: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
        """The quantile of a uniform level.

        Between two levels it is linear in z, the normal distribution's quantile, and goes on so behind the last: the
        tails are normal.
        """
        values = self.values(said)
        z = torch.special.ndtri(uniform[..., :1].clamp(1e-7, 1 - 1e-7))
        at = torch.special.ndtri(torch.tensor(LEVELS).to(values))
        right = torch.searchsorted(at, z).clamp(1, len(LEVELS) - 1)
        low, high = (values.gather(-1, place) for place in (right - 1, right))
        share = (z - at[right - 1]) / (at[right] - at[right - 1])
        return (low + share * (high - low))[..., 0]


class Student:
    """Student's t, which allows for outliers."""

    size = 3

    def parameters(self, said: Float[Tensor, "... P"]) -> tuple[Tensor, Tensor, Tensor]:
        """Location, scale and degrees of freedom, above 2: the variance is finite."""
        location, scale, freedom = said.unbind(-1)
        return location, functional.softplus(scale) + FLOOR, 2 + functional.softplus(freedom)

    def loss(self, said: Float[Tensor, "... P"], goal: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Minus the logarithm of the density."""
        location, scale, n = self.parameters(said)
        constant = torch.lgamma((n + 1) / 2) - torch.lgamma(n / 2) - (n * math.pi).log() / 2
        return (n + 1) / 2 * torch.log1p(((goal - location) / scale) ** 2 / n) + scale.log() - constant

    def center(self, said: Float[Tensor, "... P"]) -> Float[Tensor, "..."]:
        """The median."""
        return said[..., 0]

    def draw(self, said: Float[Tensor, "... P"], uniform: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
        """By the polar method (Bailey 1994)."""
        location, scale, n = self.parameters(said)
        u, v = uniform.clamp(1e-7, 1 - 1e-7).unbind(-1)
        return location + scale * (n * (u ** (-2 / n) - 1)).sqrt() * torch.cos(2 * math.pi * v)


Head = Point | Quantiles | Student
HEADS: dict[str, Head] = {"point": Point(), "quantiles": Quantiles(), "student": Student()}
