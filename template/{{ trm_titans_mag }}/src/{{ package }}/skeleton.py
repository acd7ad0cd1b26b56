"""Skeleton: what it computes, and in which paper.

Dimensions, as they appear in annotations:

    B  batch     T  positions     V  vocabulary     D  width
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .config import ModelConfig
from .model import Latent, Prediction
from .model.act_head import ActHead


class Skeleton(nn.Module):
    """Tokens to the logits of each position, and the logit of halting; what it was before makes no difference to it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.GRU(config.width, config.width, batch_first=True)
        self.output = nn.Linear(config.width, config.vocabulary, bias=False)
        nn.init.normal_(self.output.weight, std=0.02)
        self.head = ActHead(config)
        self.head.initialise()

    def forward(
        self, tokens: Int[Tensor, "B T"], latent: Latent | None = None, fresh: Bool[Tensor, "B"] | None = None
    ) -> Prediction:
        x_BTD = self.embedding(tokens)
        y_BTD: Float[Tensor, "B T D"] = x_BTD + self.layers(x_BTD)[0]
        return Prediction(self.output(y_BTD), self.head(y_BTD), Latent(y_BTD, y_BTD))
