"""Skeleton: what it computes, and in which paper.

Dimensions, as they appear in annotations:

    B  batch     Y, X  rows and columns of pixels     K  classes
"""

from jaxtyping import Float
from torch import Tensor, nn

from .config import ModelConfig


class Skeleton(nn.Module):
    """Images to the logits of each class."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.output = nn.Linear(64, config.classes)
        nn.init.normal_(self.output.weight, std=0.02)

    def forward(self, images: Float[Tensor, "B 1 Y X"]) -> Float[Tensor, "B K"]:
        return self.output(images.flatten(1))
