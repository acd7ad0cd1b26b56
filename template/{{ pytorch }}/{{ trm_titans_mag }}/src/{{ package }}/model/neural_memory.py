"""The long-term memory of Titans (Behrouz et al. 2025, arXiv:2501.00663, section 3): a network that learns as it reads.

Its weights are fast: each token changes them by a step of gradient descent, with momentum and forgetting, on how badly
they recall the token's value from its key. Training learns keys, values, rates, and the weights to start from.

    M(x) = x + scale norm(W1 gelu(W2 x))      the memory; norm is a LayerNorm without parameters (TTT, arXiv:2407.04620)
    l_t = |M(k_t) - v_t|² / C                 its loss (12); the mean makes theta independent of a head's width
    S_t = eta_t S_t-1 - theta_t u_t           surprise with momentum (14, 18)
    u_t = grad l_t at M_t'                    t' is the last token of the chunk before: a chunk's gradients are
                                              independent of each other, and computed at once (16)
    M_t = (1 - alpha_t) M_t-1 + S_t           forgetting (13)
    y_t = M_t(q_t)                            a token is written before it is read (15)

Within a chunk the two recurrences unroll to

    M_t = kept_t M_0 + carried_t S_0 + sum over s <= t of written_ts u_s

and u_s is an outer product in each layer, delta_s input_sᵀ. So weights of single tokens are never formed: to read
through a layer takes W x, S x and one masked product of the chunk's tokens with each other, as in linear attention. The
factors come from differences of logarithms; nothing is divided by a product of (1 - alpha), which may vanish.
`chunk.py` has these formulas, `adjoint.py` their gradients, and `operation.py` makes one operation of the two.

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch     T  tokens     D  width     H  heads     C  channels of one head, D / H     E  hidden of the memory
    G  heads of all samples, B x H     R  the rows of T that are asked for
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..config import ModelConfig
from .causal_conv import convolved
from .chunk_forward import Tokens, Weights, read
from .memory_op import work

STEP = 2.0
"""What the steps of a chunk, all taken at one memory, sum to at most, with what momentum adds to them. With random
keys, alike or not, in chunks of 4 to 64, every memory stayed in bounds at 2, not all did at 4, and few at 8."""


class MemoryState(NamedTuple):
    """Where a memory stands between two calls."""

    tail: Float[Tensor, "B taps features"]
    """What the convolution still needs of the last tokens."""
    start: Weights
    """M_t', at which the gradients of the chunk that has begun are taken."""
    memory: Weights
    surprise: Weights
    position: int
    """Tokens of the chunk that has begun."""


def answer(start: Weights, memory: Weights, surprise: Weights, tokens: Tokens) -> Float[Tensor, "G T C"]:
    """Write a piece of a chunk that began at `start`, and read each token."""
    [y_GTC] = work(True, False, False, start, memory, surprise, tokens)
    return y_GTC


def answer_and_go_on(
    start: Weights, memory: Weights, surprise: Weights, tokens: Tokens
) -> tuple[Float[Tensor, "G T C"], Weights, Weights]:
    """As `answer`, with the memory and the surprise that the next token finds."""
    y_GTC, *after = work(True, True, True, start, memory, surprise, tokens)
    return y_GTC, Weights(*after[:3]), Weights(*after[3:])


def go_on(start: Weights, memory: Weights, surprise: Weights, tokens: Tokens) -> tuple[Weights, Weights]:
    """Write a piece without reading."""
    after = work(False, True, True, start, memory, surprise, tokens)
    return Weights(*after[:3]), Weights(*after[3:])


def finish(start: Weights, memory: Weights, surprise: Weights, tokens: Tokens) -> Weights:
    """Write the last piece, of which no surprise is left to carry."""
    return Weights(*work(False, True, False, start, memory, surprise, tokens))


def pieces(position: int, tokens: int, chunk: int) -> list[int]:
    """Lengths into which a call's tokens fall, when `position` tokens of a chunk are there already."""
    first = min(chunk - position, tokens)
    whole, rest = (tokens - first) // chunk, (tokens - first) % chunk  # the compiler does not follow divmod
    return [first, *[chunk] * whole, *[rest] * (rest > 0)]


def wide(x: Tensor) -> Tensor:
    """In float32 at least: small steps on fast weights vanish in bfloat16."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class NeuralMemory(nn.Module):
    """A memory for each head, which reads its queries, keys, values and rates off the tokens."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.chunk, self.causal = config.heads, config.chunk, config.causal
        channels = config.width // config.heads
        hidden = config.expansion * channels
        self.projection = nn.Linear(config.width, 3 * config.width, bias=False)
        self.convolution = nn.Parameter(torch.empty(config.conv, 3 * config.width))
        self.rates = nn.Linear(config.width, 3 * config.heads)
        self.initial_up = nn.Parameter(torch.empty(config.heads, hidden, channels))
        self.initial_down = nn.Parameter(torch.empty(config.heads, channels, hidden))
        self.initial_scale = nn.Parameter(torch.empty(config.heads, 1, channels))

    def forward(
        self, x: Float[Tensor, "B T D"], state: MemoryState | None = None, keep: bool = False
    ) -> tuple[Float[Tensor, "B T D"], MemoryState | None]:
        """What each token reads; with `keep`, the state to go on from too.

        Where the model is causal, token t reads M_t. Else all tokens are given at once and no order among them is
        meant, so that all are written and each reads the last memory, which knows the whole.
        """
        projected = self.projection(x)
        with torch.autocast(x.device.type, enabled=False):
            tokens, tail = self.tokens(wide(x), wide(projected), state)
            y_GTC, after = self.run(tokens, self.fresh(tail) if state is None else state, keep)
            y_BTD = y_GTC.unflatten(0, (len(x), self.heads)).transpose(1, 2).flatten(2)
        return y_BTD, after._replace(tail=tail) if after is not None else None

    def tokens(
        self, x: Float[Tensor, "B T D"], projected: Float[Tensor, "B T features"], state: MemoryState | None
    ) -> tuple[Tokens, Float[Tensor, "B taps features"]]:
        """Queries, keys and values are SiLU(conv(x W)), the first two of unit length (11, section 4.4).

        theta is STEP / chunk at most, times 1 - eta: a surprise that stays long weighs less at first.
        """
        taps, length = len(self.convolution), x.shape[1]
        before = taps - 1 if self.causal else taps // 2
        earlier = projected.new_zeros(len(x), before, projected.shape[2]) if state is None else state.tail
        padded = functional.pad(torch.cat((earlier, projected), dim=1), (0, 0, 0, taps - 1 - before))
        q, k, v = (self.split(part) for part in functional.silu(convolved(padded, self.convolution)).chunk(3, dim=-1))
        theta, eta, alpha = (part.transpose(1, 2).flatten(0, 1) for part in self.rates(x).chunk(3, dim=-1))
        step = STEP / self.chunk * torch.sigmoid(theta) * torch.sigmoid(-eta)
        rates = step, functional.logsigmoid(eta), functional.logsigmoid(-alpha)
        return Tokens(functional.normalize(q, dim=-1), functional.normalize(k, dim=-1), v, *rates), padded[:, length:]

    def split(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "G T C"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2).flatten(0, 1)

    def fresh(self, tail: Tensor) -> MemoryState:
        """W0 for each sample, and no surprise."""
        initial = (self.initial_up, self.initial_down, self.initial_scale)
        memory = Weights(*(wide(weight).expand(len(tail), *weight.shape).flatten(0, 1) for weight in initial))
        return MemoryState(tail, memory, memory, Weights(*map(torch.zeros_like, memory)), 0)

    def run(self, tokens: Tokens, state: MemoryState, keep: bool) -> tuple[Tensor, MemoryState | None]:
        """Piece by piece."""
        start, memory, surprise = state.start, state.memory, state.surprise
        length = tokens.k.shape[1]
        *parts, last = tokens.split(pieces(state.position, length, self.chunk))
        if not self.causal:
            for part in parts:
                memory, surprise = go_on(memory, memory, surprise, part)
            return read(finish(memory, memory, surprise, last), tokens.q), None
        answers = []
        for part in parts:
            y, memory, surprise = answer_and_go_on(start, memory, surprise, part)
            answers.append(y)
            start = memory
        if not keep:
            return torch.cat((*answers, answer(start, memory, surprise, last)), dim=1), None
        y, memory, surprise = answer_and_go_on(start, memory, surprise, last)
        position = (state.position + length) % self.chunk
        after = MemoryState(state.tail, start if position else memory, memory, surprise, position)
        return torch.cat((*answers, y), dim=1), after
