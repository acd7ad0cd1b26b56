"""The time and the class, as one vector.

Dimensions: B batch, D width, F features.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

FREQUENCIES = 256
"""Sines and cosines of the time."""
LONGEST = 10_000
"""The slowest of them turns once in so many times 2 π."""


def sinusoids(values: Int[Tensor, " B"], width: int) -> Float[Tensor, "B F"]:
    """Cosines and sines of each value, from fast to slow (Vaswani et al. 2017, arXiv:1706.03762, section 3.5)."""
    half = width // 2
    slower = torch.exp(-math.log(LONGEST) / half * torch.arange(half, device=values.device, dtype=torch.float32))
    angles = values[:, None].float() * slower
    return torch.cat((angles.cos(), angles.sin()), 1)


class Condition(nn.Module):
    """Two layers on the sinusoids of the time, plus a learned vector for each class; the last one is for no class."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(FREQUENCIES, width)
        self.second = nn.Linear(width, width)
        self.classes = nn.Embedding(classes + 1, width)

    def forward(self, t: Int[Tensor, " B"], y: Int[Tensor, " B"], dtype: torch.dtype) -> Float[Tensor, "B D"]:
        of_time = self.second(functional.silu(self.first(sinusoids(t, FREQUENCIES).to(dtype))))
        return of_time + self.classes(y)

    @staticmethod
    def flops(width: int) -> float:
        """Of the two layers, for one time."""
        return 2.0 * (FREQUENCIES + width) * width
