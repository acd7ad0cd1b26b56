"""Three recurrent layers, by one field: LSTM, GRU and minLSTM.

Dimensions, as they appear in annotations:

    B  batch     T  steps in time     I  inputs     D  units     L  layers     S  numbers of a layer's state

LSTM (Hochreiter & Schmidhuber 1997; with a forget gate, Gers et al. 2000), by PyTorch:

    i, f, o = σ(W x_t + U h_{t-1} + b), each with weights of its own
    c̃       = tanh(W x_t + U h_{t-1} + b)
    c_t     = f * c_{t-1} + i * c̃
    h_t     = o * tanh(c_t)                                     S = 2 D: h and c

GRU (Cho et al. 2014), by PyTorch, whose z keeps the old state, and whose r is applied behind U:

    r, z    = σ(W x_t + U h_{t-1} + b)
    n       = tanh(W x_t + b + r * (U h_{t-1} + b'))
    h_t     = (1 - z) * n + z * h_{t-1}                         S = D

minLSTM (Feng et al. 2024, arXiv:2410.01201, section 3.2), below:

    f, i    = σ(W x_t + b)                                      the gates do not see the state,
    h̃       = W x_t + b
    h_t     = f / (f + i) * h_{t-1} + i / (f + i) * h̃           so this is linear in it: a scan     S = D

Every state is one tensor, (B, L, S), and zeros before the first step.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..config import ModelConfig

FORGET_BIAS = 1.0
"""Of the gate that keeps the old state, so that a fresh network remembers (Jozefowicz et al. 2015)."""


class LSTM(nn.Module):
    """Long short-term memory."""

    gates = ("i", "f", "g", "o")
    kept = "f"
    state_size = 2

    def __init__(self, inputs: int, config: ModelConfig) -> None:
        super().__init__()
        dropout = config.dropout if config.layers > 1 else 0.0
        self.layers = nn.LSTM(inputs, config.d_model, config.layers, batch_first=True, dropout=dropout)
        initialise(self.layers, self.gates, self.kept)

    def forward(
        self, x: Float[Tensor, "B T I"], state: Float[Tensor, "B L S"]
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B L S"]]:
        h, c = (half.contiguous() for half in state.transpose(0, 1).chunk(2, -1))
        with ready(self.layers, x):
            out, (h, c) = self.layers(x, (h, c))
        return out, torch.cat((h.transpose(0, 1), c.transpose(0, 1)), -1)


class GRU(nn.Module):
    """Gated recurrent unit."""

    gates = ("r", "z", "n")
    kept = "z"
    state_size = 1

    def __init__(self, inputs: int, config: ModelConfig) -> None:
        super().__init__()
        dropout = config.dropout if config.layers > 1 else 0.0
        self.layers = nn.GRU(inputs, config.d_model, config.layers, batch_first=True, dropout=dropout)
        initialise(self.layers, self.gates, self.kept)

    def forward(
        self, x: Float[Tensor, "B T I"], state: Float[Tensor, "B L S"]
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B L S"]]:
        with ready(self.layers, x):
            out, h = self.layers(x, state.transpose(0, 1).contiguous())
        return out, h.transpose(0, 1).clone()


class MinLSTM(nn.Module):
    """The LSTM without what cannot be computed for all steps at once."""

    state_size = 1

    def __init__(self, inputs: int, config: ModelConfig) -> None:
        super().__init__()
        d = config.d_model
        layers = [nn.Linear(d if layer else inputs, 3 * d) for layer in range(config.layers)]
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(config.dropout)
        for layer in layers:
            for gate in layer.weight.chunk(3):
                nn.init.xavier_uniform_(gate)
            nn.init.zeros_(layer.bias)
            nn.init.constant_(layer.bias[:d], FORGET_BIAS)

    def forward(
        self, x: Float[Tensor, "B T I"], state: Float[Tensor, "B L S"]
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B L S"]]:
        last = []
        for number, layer in enumerate(self.layers):
            x = self.dropout(x) if number else x
            forget, take, candidate = layer(x).chunk(3, -1)
            forget, take = forget.sigmoid(), take.sigmoid()
            kept = forget / (forget + take)
            x = scan(kept, (1 - kept) * candidate, state[:, number])
            last.append(x[:, -1])
        return x, torch.stack(last, 1)


def scan(a: Float[Tensor, "B T D"], b: Float[Tensor, "B T D"], h: Float[Tensor, "B D"]) -> Float[Tensor, "B T D"]:
    """h_t = a_t h_{t-1} + b_t for all t, from h_0 = `h`, in log2 T passes (Hillis & Steele 1986).

    Two steps are one: a_t (a_{t-1} h + b_{t-1}) + b_t. After the pass with the shift s, the pair at t stands for the
    2 s steps up to t. Every a is at most 1, so nothing grows.
    """
    b = torch.cat((b[:, :1] + a[:, :1] * h[:, None], b[:, 1:]), 1)
    shift = 1
    while shift < b.shape[1]:
        b = torch.cat((b[:, :shift], b[:, shift:] + a[:, shift:] * b[:, :-shift]), 1)
        a = torch.cat((a[:, :shift], a[:, shift:] * a[:, :-shift]), 1)
        shift *= 2
    return b


def ready(layers: nn.LSTM | nn.GRU, x: Tensor) -> AbstractContextManager[None]:
    """What CuDNN asks for: weights in one piece, which those of a copied model are not, and no gradient in evaluation.

    Such a gradient, as `check` and `reach` take it, is left to PyTorch's own kernels.
    """
    if x.is_cuda and torch.is_grad_enabled() and not layers.training:
        return torch.backends.cudnn.flags(enabled=False)
    if x.is_cuda and len({p.untyped_storage().data_ptr() for p in layers.parameters()}) > 1:
        layers.flatten_parameters()
    return nullcontext()


def initialise(layers: nn.LSTM | nn.GRU, gates: tuple[str, ...], kept: str) -> None:
    """Set the weights of each gate, which PyTorch has one below the other in one matrix.

    W       Xavier, uniform (Glorot & Bengio 2010)
    U       orthogonal: a step of the linear part changes no length (Saxe et al. 2014)
    b       0; of the gate that keeps the old state, `FORGET_BIAS`
    """
    for name, parameter in layers.named_parameters():
        for gate, of in zip(gates, parameter.data.chunk(len(gates)), strict=True):
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(of)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(of)
            else:  # PyTorch adds two biases
                nn.init.constant_(of, FORGET_BIAS if gate == kept and name.startswith("bias_ih") else 0.0)


CELLS: dict[str, type[LSTM] | type[GRU] | type[MinLSTM]] = {"lstm": LSTM, "gru": GRU, "minlstm": MinLSTM}


def state_shape(config: ModelConfig) -> tuple[int, int]:
    """L and S."""
    return config.layers, CELLS[config.cell].state_size * config.d_model
