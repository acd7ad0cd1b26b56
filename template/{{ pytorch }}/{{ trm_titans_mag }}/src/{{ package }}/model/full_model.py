"""The whole model: TRM's recursion over a Titans-MAG backbone, with a head that halts it.

    tokens -> (embedding + place) x sqrt(D) = x -> Recursion(TitansMAG) -> y -> logits of each position
                                                                        `-> q, the logit of halting

Rotary positions say how far apart two tokens are. Cells of a board are neighbours in two dimensions: unless the model
is causal, each position has a learned vector too.

Dimensions, as they appear in annotations:

    B  batch     T  positions     D  width     V  vocabulary

Tensors in, tensors out: no optimizer, loader, device or loop is known here.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..config import ModelConfig
from .act_head import ActHead
from .cost import parameters as backbone
from .titans_mag import State, TitansMAG
from .trm_wrapper import Latent, Recursion


class Prediction(NamedTuple):
    """What one supervision step gives."""

    logits: Float[Tensor, "B T V"]
    q: Float[Tensor, "B"]
    """Above 0, it halts; 0 where the model is causal and has no head for it."""
    latent: Latent
    """To go on from."""


class FullModel(nn.Module):
    """One supervision step: tokens, and the state that the step before left."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.place = None if config.causal else nn.Parameter(torch.empty(config.length, config.width))
        self.recursion = Recursion(TitansMAG(config), config)
        self.output = nn.Linear(config.width, config.vocab_size, bias=False)
        self.head = None if config.causal else ActHead(config)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set what the backbone does not set itself.

        embedding     normal, std 1/sqrt(D): scaled by sqrt(D), as large as y and z
        output        normal, std 0.1/sqrt(D): the first logits are near zero, and the loss starts near ln V
        y0, z0, head  Recursion.initialise, ActHead.initialise
        """
        nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(self.config.width))
        if self.place is not None:
            nn.init.normal_(self.place, std=1 / math.sqrt(self.config.width))
        nn.init.normal_(self.output.weight, std=0.1 / math.sqrt(self.config.width))
        self.recursion.initialise()
        if self.head is not None:
            self.head.initialise()

    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        latent: Latent | None = None,
        fresh: Bool[Tensor, "B"] | None = None,
        states: Sequence[State] | None = None,
    ) -> Prediction:
        """Go on from `latent`, and from the beginning in the rows that are `fresh`.

        `states`, one for each call of the backbone, make the tokens continue a stream; they are replaced in place.
        """
        x_BTD = self.embedding(tokens)
        if self.place is not None:
            x_BTD = x_BTD + self.place
        x_BTD = x_BTD * math.sqrt(self.config.width)
        latent = self.recursion(x_BTD, latent, fresh, states)
        logits_BTV = self.output(latent.y)
        q_B = logits_BTV.new_zeros(len(tokens)) if self.head is None else self.head(latent.y)
        return Prediction(logits_BTV, q_B, latent)

    def streams(self) -> list[State]:
        """What each call of the backbone has to remember, at the beginning of a stream."""
        return [State.empty(self.config.layers) for _ in range(self.recursion.calls)]

    def stream(self) -> Callable[[Tensor], Tensor]:
        """A function from the next tokens (B, T) to the logits (B, V) after the last, which remembers the others."""
        states = self.streams()
        return lambda tokens: self(tokens, states=states).logits[:, -1]


def parameters(config: ModelConfig) -> int:
    """How many numbers are trained: the backbone's; embedding and output; unless causal, the places and the head's."""
    board = 0 if config.causal else (config.length + 1) * config.width + 1
    return backbone(config) + 2 * config.vocab_size * config.width + board
