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

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch     T  tokens     D  width     H  heads     C  channels of one head, D / H     E  hidden of the memory
    G  heads of all samples, B x H     R  the rows of T that are asked for
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ..config import ModelConfig

EPSILON = 1e-5
"""Added to the variance in the memory's norm."""
STEP = 2.0
"""What the steps of a chunk, all taken at one memory, sum to at most, with what momentum adds to them. With random
keys, alike or not, in chunks of 4 to 64, every memory stayed in bounds at 2, not all did at 4, and few at 8."""
VANISHING = -30.0
"""ln of the factor below which what is left of the past counts as nothing. No sum in float32 notices it, and products
of such factors would be denormal numbers, which slow a CPU down."""


class Weights(NamedTuple):
    """Fast weights of every head, or something of their shape, such as the surprise."""

    up: Float[Tensor, "G E C"]
    """W2."""
    down: Float[Tensor, "G C E"]
    """W1."""
    scale: Float[Tensor, "G 1 C"]

    def times(self, factor_G11: Float[Tensor, "G 1 1"]) -> "Weights":
        return Weights(*(factor_G11 * weight for weight in self))

    def plus(self, other: "Weights") -> "Weights":
        return Weights(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Tokens(NamedTuple):
    """What the memory is given of each token."""

    q: Float[Tensor, "G T C"]
    k: Float[Tensor, "G T C"]
    v: Float[Tensor, "G T C"]
    theta: Float[Tensor, "G T"]
    """The size of the step."""
    log_eta: Float[Tensor, "G T"]
    """ln of the share of the past surprise that stays."""
    log_kept: Float[Tensor, "G T"]
    """ln of 1 - alpha, the share of the memory that stays."""

    def split(self, sizes: Sequence[int]) -> list["Tokens"]:
        """Pieces of these lengths."""
        return [Tokens(*parts) for parts in zip(*(x.split(list(sizes), dim=1) for x in self), strict=True)]


class Gradients(NamedTuple):
    """u_s of every token: in W2 the outer product of `up` and k, in W1 of `down` and `hidden`."""

    hidden: Float[Tensor, "G T E"]
    up: Float[Tensor, "G T E"]
    down: Float[Tensor, "G T C"]
    scale: Float[Tensor, "G T C"]


class Mixing(NamedTuple):
    """How M_t for the rows that were asked for, and the last S, depend on the chunk's start and its tokens."""

    kept: Float[Tensor, "G R 1"]
    carried: Float[Tensor, "G R 1"]
    written: Float[Tensor, "G R T"]
    surprise_kept: Float[Tensor, "G 1 1"]
    surprise_written: Float[Tensor, "G 1 T"]


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


def norm(z: Float[Tensor, "G T C"]) -> Float[Tensor, "G T C"]:
    """Zero mean and unit variance over the channels."""
    return F.layer_norm(z, z.shape[-1:], eps=EPSILON)


def read(memory: Weights, x_GTC: Float[Tensor, "G T C"]) -> Float[Tensor, "G T C"]:
    """M(x), the same M for all tokens."""
    hidden_GTE = F.gelu(x_GTC @ memory.up.mT)
    return x_GTC + memory.scale * norm(hidden_GTE @ memory.down.mT)


def gradients(memory: Weights, k_GTC: Float[Tensor, "G T C"], v_GTC: Float[Tensor, "G T C"]) -> Gradients:
    """Each token's gradient of its loss (12), by the chain rule from the output back."""
    channels = k_GTC.shape[-1]
    a_GTE = k_GTC @ memory.up.mT
    hidden_GTE = F.gelu(a_GTE)
    z_GTC = hidden_GTE @ memory.down.mT
    normed_GTC, mean, inverse_std = torch.native_layer_norm(z_GTC, (channels,), None, None, EPSILON)
    error_GTC = (2 / channels) * torch.addcmul(k_GTC - v_GTC, memory.scale, normed_GTC)
    # One kernel for each derivative, where the formulas written out take twenty; autograd differentiates both again.
    down_GTC, _, _ = torch.ops.aten.native_layer_norm_backward(
        error_GTC * memory.scale, z_GTC, (channels,), mean, inverse_std, None, None, [True, False, False]
    )
    up_GTE = torch.ops.aten.gelu_backward(down_GTC @ memory.down, a_GTE)
    return Gradients(hidden_GTE, up_GTE, down_GTC, error_GTC * normed_GTC)


def left(log: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The factor with that logarithm, 0 where it vanishes."""
    return log.masked_fill(log < VANISHING, -math.inf).exp()


def decay(log_GT: Float[Tensor, "G T"]) -> Float[Tensor, "G T T"]:
    """The product of the factors after s up to t, in row t and column s; 0 where s > t."""
    total_GT = log_GT.cumsum(dim=1)
    later_TT = torch.ones(log_GT.shape[1], log_GT.shape[1], dtype=torch.bool, device=log_GT.device).triu(1)
    return left((total_GT[:, :, None] - total_GT[:, None]).masked_fill(later_TT, -math.inf))


def mixing(tokens: Tokens, rows: slice) -> Mixing:
    """The unrolled recurrences: S_t weighs u_s by eta's decay, and M_t weighs S_r by (1 - alpha)'s."""
    memory_GRT, surprise_GTT = decay(tokens.log_kept)[:, rows], decay(tokens.log_eta)
    surprise_kept_GT1 = left(tokens.log_eta.cumsum(dim=1))[..., None]
    step_G1T = -tokens.theta[:, None]
    return Mixing(
        kept=left(tokens.log_kept.cumsum(dim=1))[:, rows, None],
        carried=memory_GRT @ surprise_kept_GT1,
        written=(memory_GRT @ surprise_GTT) * step_G1T,
        surprise_kept=surprise_kept_GT1[:, -1:],
        surprise_written=surprise_GTT[:, -1:] * step_G1T,
    )


def stepped(base: Weights, written_G1T: Float[Tensor, "G 1 T"], u: Gradients, k_GTC: Float[Tensor, "G T C"]) -> Weights:
    """Base + sum over s of written_s u_s."""
    weight_GT1 = written_G1T.mT
    return Weights(
        torch.baddbmm(base.up, (weight_GT1 * u.up).mT, k_GTC),
        torch.baddbmm(base.down, (weight_GT1 * u.down).mT, u.hidden),
        torch.baddbmm(base.scale, written_G1T, u.scale),
    )


def last_memory(memory: Weights, surprise: Weights, mix: Mixing, u: Gradients, k: Float[Tensor, "G T C"]) -> Weights:
    """M at the end of the chunk (13)."""
    base = memory.times(mix.kept[:, -1:]).plus(surprise.times(mix.carried[:, -1:]))
    return stepped(base, mix.written[:, -1:], u, k)


def last_surprise(surprise: Weights, mix: Mixing, u: Gradients, k: Float[Tensor, "G T C"]) -> Weights:
    """S at the end of the chunk (14)."""
    return stepped(surprise.times(mix.surprise_kept), mix.surprise_written, u, k)


def read_each(memory: Weights, surprise: Weights, mix: Mixing, u: Gradients, tokens: Tokens) -> Float[Tensor, "G T C"]:
    """y_t = M_t(q_t) (15), layer by layer; a token meets those written before it in a masked product."""
    q_GTC = tokens.q
    a_GTE = torch.baddbmm((mix.kept * q_GTC) @ memory.up.mT, mix.carried * q_GTC, surprise.up.mT)
    hidden_GTE = F.gelu(torch.baddbmm(a_GTE, mix.written * (q_GTC @ tokens.k.mT), u.up))
    z_GTC = mix.kept * (hidden_GTE @ memory.down.mT) + mix.carried * (hidden_GTE @ surprise.down.mT)
    z_GTC = torch.baddbmm(z_GTC, mix.written * (hidden_GTE @ u.hidden.mT), u.down)
    scale_GTC = torch.baddbmm(mix.kept * memory.scale + mix.carried * surprise.scale, mix.written, u.scale)
    return q_GTC + scale_GTC * norm(z_GTC)


def answer(start: Weights, memory: Weights, surprise: Weights, tokens: Tokens) -> Float[Tensor, "G T C"]:
    """Write a piece of a chunk that began at `start`, and read each token."""
    u, mix = gradients(start, tokens.k, tokens.v), mixing(tokens, slice(None))
    return read_each(memory, surprise, mix, u, tokens)


def answer_and_go_on(
    start: Weights, memory: Weights, surprise: Weights, tokens: Tokens
) -> tuple[Float[Tensor, "G T C"], Weights, Weights]:
    """As `answer`, with the memory and the surprise that the next token finds."""
    u, mix = gradients(start, tokens.k, tokens.v), mixing(tokens, slice(None))
    y_GTC = read_each(memory, surprise, mix, u, tokens)
    return y_GTC, last_memory(memory, surprise, mix, u, tokens.k), last_surprise(surprise, mix, u, tokens.k)


def go_on(start: Weights, memory: Weights, surprise: Weights, tokens: Tokens) -> tuple[Weights, Weights]:
    """Write a piece without reading."""
    u, mix = gradients(start, tokens.k, tokens.v), mixing(tokens, slice(-1, None))
    return last_memory(memory, surprise, mix, u, tokens.k), last_surprise(surprise, mix, u, tokens.k)


def finish(start: Weights, memory: Weights, surprise: Weights, tokens: Tokens) -> Weights:
    """Write the last piece, of which no surprise is left to carry."""
    u, mix = gradients(start, tokens.k, tokens.v), mixing(tokens, slice(-1, None))
    return last_memory(memory, surprise, mix, u, tokens.k)


def pieces(position: int, tokens: int, chunk: int) -> list[int]:
    """Lengths into which a call's tokens fall, when `position` tokens of a chunk are there already."""
    first = min(chunk - position, tokens)
    whole, rest = (tokens - first) // chunk, (tokens - first) % chunk  # the compiler does not follow divmod
    return [first, *[chunk] * whole, *[rest] * (rest > 0)]


def wide(x: Tensor) -> Tensor:
    """In float32 at least: small steps on fast weights vanish in bfloat16."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def convolved(
    padded: Float[Tensor, "B padded features"], filters: Float[Tensor, "taps features"]
) -> Float[Tensor, "B T features"]:
    """A filter of its own for each feature, along the tokens."""
    length = padded.shape[1] - len(filters) + 1
    y_BTF = filters[0] * padded[:, :length]
    for tap in range(1, len(filters)):
        y_BTF = torch.addcmul(y_BTF, filters[tap], padded[:, tap : tap + length])
    return y_BTF


def recomputed(function: Callable[..., Any], *arguments: object) -> Any:
    """The function's result; what it computed on the way is not kept for the backward pass."""
    if not torch.is_grad_enabled():
        return function(*arguments)
    return checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)


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
        padded = F.pad(torch.cat((earlier, projected), dim=1), (0, 0, 0, taps - 1 - before))
        q, k, v = (self.split(part) for part in F.silu(convolved(padded, self.convolution)).chunk(3, dim=-1))
        theta, eta, alpha = (part.transpose(1, 2).flatten(0, 1) for part in self.rates(x).chunk(3, dim=-1))
        step = STEP / self.chunk * torch.sigmoid(theta) * torch.sigmoid(-eta)
        rates = step, F.logsigmoid(eta), F.logsigmoid(-alpha)
        return Tokens(F.normalize(q, dim=-1), F.normalize(k, dim=-1), v, *rates), padded[:, length:]

    def split(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "G T C"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2).flatten(0, 1)

    def fresh(self, tail: Tensor) -> MemoryState:
        """W0 for each sample, and no surprise."""
        initial = (self.initial_up, self.initial_down, self.initial_scale)
        memory = Weights(*(wide(weight).expand(len(tail), *weight.shape).flatten(0, 1) for weight in initial))
        return MemoryState(tail, memory, memory, Weights(*map(torch.zeros_like, memory)), 0)

    def run(self, tokens: Tokens, state: MemoryState, keep: bool) -> tuple[Tensor, MemoryState | None]:
        """Piece by piece; the backward pass computes all but the last again, so that only their ends are kept."""
        start, memory, surprise = state.start, state.memory, state.surprise
        length = tokens.k.shape[1]
        *parts, last = tokens.split(pieces(state.position, length, self.chunk))
        if not self.causal:
            for part in parts:
                memory, surprise = recomputed(go_on, memory, memory, surprise, part)
            return read(finish(memory, memory, surprise, last), tokens.q), None
        answers = []
        for part in parts:
            y, memory, surprise = recomputed(answer_and_go_on, start, memory, surprise, part)
            answers.append(y)
            start = memory
        if not keep:
            return torch.cat((*answers, answer(start, memory, surprise, last)), dim=1), None
        y, memory, surprise = answer_and_go_on(start, memory, surprise, last)
        position = (state.position + length) % self.chunk
        after = MemoryState(state.tail, start if position else memory, memory, surprise, position)
        return torch.cat((*answers, y), dim=1), after
