"""Skeleton: what it computes, and in which paper.

Dimensions, as they appear in annotations:

    B  batch     F  features of an example     K  classes
"""

from jaxtyping import Float
from torch import Tensor, nn

from .config import ModelConfig


class Skeleton(nn.Module):
    """Features to the logits of each class."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.output = nn.Linear(config.features, config.classes)
        nn.init.normal_(self.output.weight, std=0.02)

    def forward(self, x: Float[Tensor, "B F"]) -> Float[Tensor, "B K"]:
        return self.output(x)
