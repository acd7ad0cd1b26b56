"""The network: what is known at a step, and what is said of the next row.

Dimensions, as they appear in annotations:

    B  batch     T  steps in time     K  targets     C  covariates     I  inputs
    L  layers    S  state of a layer  P  numbers that are said of a target

    x_t = [y_t, y_{t-1}, …, covariates]          `inputs`
      └ recurrent layers: h_t                     `cells.py`
         └ linear of [h_t, x_t]                   what `heads.py` takes for the difference of y_{t+1} to y_t,
                                                  in deviations of such differences

Tensors in, tensors out: no optimizer, loader, device or loop is known here.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..config import ModelConfig
from .cells import CELLS, state_shape
from .heads import HEADS

SMALL = 0.1
"""A fresh output is this small beside the usual, so that an untrained network forecasts about the last value."""


class Forecaster(nn.Module):
    """Inputs and a state to forecasts of the next rows, and the state behind them."""

    step: Tensor

    def __init__(self, config: ModelConfig, step: Float[Tensor, " K"], covariates: int) -> None:
        """`step` is the deviation of the difference of two rows, of each target."""
        super().__init__()
        self.lags, targets = config.past, len(step)
        size = self.lags * targets + covariates
        self.state_shape = state_shape(config)
        self.cell = CELLS[config.cell](size, config)
        self.dropout = nn.Dropout(config.dropout)
        self.output = HEADS[config.head]
        self.head = nn.Linear(config.d_model + size, targets * self.output.size)
        with torch.no_grad():
            self.head.weight.mul_(SMALL)
            self.head.bias.zero_()
        self.register_buffer("step", step)

    def forward(
        self, x: Float[Tensor, "B T I"], state: Float[Tensor, "B L S"]
    ) -> tuple[Float[Tensor, "B T K P"], Float[Tensor, "B L S"]]:
        h, state = self.cell(x, state)
        said = self.head(torch.cat((self.dropout(h), x), -1))
        return torch.stack(said.chunk(self.output.size, -1), -1), state

    def initial_state(self, like: Float[Tensor, "B T I"]) -> Float[Tensor, "B L S"]:
        """The state before the first step."""
        return like.new_zeros(len(like), *self.state_shape)


def inputs(y: Float[Tensor, "B R K"], covariates: Float[Tensor, "B T C"] | None, lags: int) -> Float[Tensor, "B T I"]:
    """What the model is given at each of R - lags + 1 steps: the last `lags` rows, the newest first, and covariates."""
    x = y.unfold(1, lags, 1).flip(-1).flatten(2)
    return x if covariates is None else torch.cat((x, covariates), -1)


def flops(config: ModelConfig, targets: int, covariates: int) -> float:
    """Of a forward pass, per step: two for each weight.

    recurrent layer     2 x gates x D (inputs + D)          lstm: 4 gates, gru: 3
    minlstm's           2 x 3 x D inputs, and 3 D for each pass of its scan, which is left out
    output              2 x (D + I) K P
    """
    size, d = config.past * targets + covariates, config.d_model
    total = 2.0 * (d + size) * targets * HEADS[config.head].size
    for layer in range(config.layers):
        below = d if layer else size
        total += {"lstm": 8 * d * (below + d), "gru": 6 * d * (below + d), "minlstm": 6 * d * below}[config.cell]
    return total
