"""Skeleton: what it computes, and in which paper.

Dimensions, as they appear in annotations:

    B  batch     T  tokens     V  vocabulary     D  width
"""

from jaxtyping import Float, Int
from torch import Tensor, nn

from .config import ModelConfig


class Skeleton(nn.Module):
    """Token ids to the logits of each next token."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.GRU(config.width, config.width, batch_first=True)
        self.output = nn.Linear(config.width, config.vocabulary, bias=False)
        nn.init.normal_(self.output.weight, std=0.02)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        x_BTD = self.embedding(tokens)
        return self.output(x_BTD + self.layers(x_BTD)[0])
