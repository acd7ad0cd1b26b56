"""A multilayer perceptron. Put your own model in its place.

Dimensions, as they appear in annotations:

    B  batch     F  features of an example     K  classes

Tensors in, tensors out: no optimizer, loader, device or loop is known here.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .config import ModelConfig


class MLP(nn.Module):
    """Features to the logits of each class."""

    def __init__(self, config: ModelConfig, features: int, classes: int) -> None:
        super().__init__()
        sizes = [features, *[config.width] * config.layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.output = nn.Linear(config.width, classes)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "B F"]) -> Float[Tensor, "B K"]:
        for layer in self.hidden:
            x = self.dropout(functional.gelu(layer(x)))
        return self.output(x)
