"""What a chunk of tokens writes into the memory and reads from it; `memory.py` has the equations and the dimensions.

These are the formulas of a forward pass, which autograd could follow. `adjoint.py` goes back through them in closed
form, for which they return, beside their results, what they computed on the way.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-5
"""Added to the variance in the memory's norm."""
VANISHING = -30.0
"""ln of the factor up to which what is left of the past counts as nothing. No sum in float32 notices it, and products
of such factors would be denormal numbers, which slow a CPU down."""


class Weights(NamedTuple):
    """Fast weights of every head, or something of their shape, such as the surprise."""

    up: Float[Tensor, "G E C"]
    """W2."""
    down: Float[Tensor, "G C E"]
    """W1."""
    scale: Float[Tensor, "G 1 C"]


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


class Normed(NamedTuple):
    """A norm's argument, its result, and what they differ by."""

    z: Float[Tensor, "G T C"]
    normed: Float[Tensor, "G T C"]
    mean: Float[Tensor, "G T 1"]
    inverse_std: Float[Tensor, "G T 1"]


class Recall(NamedTuple):
    """What a token's gradient is made of."""

    a: Float[Tensor, "G T E"]
    """W2 k."""
    slope: Float[Tensor, "G T E"]
    """gelu'(a)."""
    error: Float[Tensor, "G T C"]
    """The loss's gradient in M(k)."""
    passed: Float[Tensor, "G T E"]
    """The loss's gradient in gelu(a)."""


class Mixing(NamedTuple):
    """How M_t for the rows that were asked for, and the last S, depend on the chunk's start and its tokens."""

    kept: Float[Tensor, "G R 1"]
    carried: Float[Tensor, "G R 1"]
    written: Float[Tensor, "G R T"]
    surprise_kept: Float[Tensor, "G 1 1"]
    surprise_written: Float[Tensor, "G 1 T"]


class Decays(NamedTuple):
    """What the mixing is made of: products of (1 - alpha) and of eta."""

    memory: Float[Tensor, "G R T"]
    surprise: Float[Tensor, "G T T"]
    begun: Float[Tensor, "G T 1"]
    """Of eta, from the chunk's start."""


class Reading(NamedTuple):
    """What the answers are made of, layer by layer."""

    alike: Float[Tensor, "G T T"]
    """q_t k_s."""
    a: Float[Tensor, "G T E"]
    hidden: Float[Tensor, "G T E"]
    from_memory: Float[Tensor, "G T C"]
    from_surprise: Float[Tensor, "G T C"]
    from_tokens: Float[Tensor, "G T T"]
    scale: Float[Tensor, "G T C"]


def norm(z: Float[Tensor, "G T C"]) -> Normed:
    """Zero mean and unit variance over the channels."""
    normed, mean, inverse_std = torch.native_layer_norm(z, (z.shape[-1],), None, None, EPSILON)
    return Normed(z, normed, mean, inverse_std)


def through_norm(grad: Float[Tensor, "G T C"], at: Normed) -> Float[Tensor, "G T C"]:
    """The gradient in z, of one in the normed. One kernel, where the formula written out takes a dozen."""
    shape, wanted = (grad.shape[-1],), [True, False, False]
    back, _, _ = torch.ops.aten.native_layer_norm_backward(
        grad, at.z, shape, at.mean, at.inverse_std, None, None, wanted
    )
    return back


def through_gelu(grad: Float[Tensor, "G T E"], a: Float[Tensor, "G T E"]) -> Float[Tensor, "G T E"]:
    """The gradient in a, of one in gelu(a)."""
    return torch.ops.aten.gelu_backward(grad, a)


def read(memory: Weights, x_GTC: Float[Tensor, "G T C"]) -> Float[Tensor, "G T C"]:
    """M(x), the same M for all tokens."""
    hidden_GTE = functional.gelu(x_GTC @ memory.up.mT)
    return x_GTC + memory.scale * norm(hidden_GTE @ memory.down.mT).normed


def gradients(
    memory: Weights, k_GTC: Float[Tensor, "G T C"], v_GTC: Float[Tensor, "G T C"]
) -> tuple[Gradients, Recall, Normed]:
    """Each token's gradient of its loss (12) at the memory, by the chain rule from the output back."""
    a_GTE = torch.bmm(k_GTC, memory.up.mT)
    hidden_GTE = functional.gelu(a_GTE)
    at = norm(torch.bmm(hidden_GTE, memory.down.mT))
    error_GTC = torch.addcmul(k_GTC - v_GTC, memory.scale, at.normed).mul_(2 / k_GTC.shape[-1])
    down_GTC = through_norm(error_GTC * memory.scale, at)
    slope_GTE = through_gelu(torch.ones_like(a_GTE), a_GTE)
    passed_GTE = torch.bmm(down_GTC, memory.down)
    u = Gradients(hidden_GTE, passed_GTE * slope_GTE, down_GTC, error_GTC * at.normed)
    return u, Recall(a_GTE, slope_GTE, error_GTC, passed_GTE), at


def left(log: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The factor with that logarithm, 0 where it vanishes."""
    # The exponential of -inf takes six times as long as that of a number that does not vanish.
    return functional.threshold(log.clamp(min=VANISHING).exp(), 1.1 * math.exp(VANISHING), 0.0)


def decay(log_GT: Float[Tensor, "G T"], rows: int) -> Float[Tensor, "G R T"]:
    """The product of the factors after s up to t, in column s and the row of t, for the last rows; 0 where s > t.

    Of 1 - alpha, it is beta_t / beta_s in (16).
    """
    length = log_GT.shape[1]
    total_GT = log_GT.cumsum(dim=1)
    later_RT = log_GT.new_full((rows, length), -math.inf).triu(length - rows + 1)
    return left((total_GT[:, length - rows :, None] - total_GT[:, None]).add_(later_RT))


def mixing(tokens: Tokens, rows: int) -> tuple[Mixing, Decays]:
    """The unrolled recurrences: S_t weighs u_s by eta's decay, and M_t weighs S_r by (1 - alpha)'s."""
    memory_GRT, surprise_GTT = decay(tokens.log_kept, rows), decay(tokens.log_eta, tokens.theta.shape[1])
    begun_GT1 = left(tokens.log_eta.cumsum(dim=1))[..., None]
    step_G1T = -tokens.theta[:, None]
    mix = Mixing(
        kept=left(tokens.log_kept.cumsum(dim=1))[:, -rows:, None],
        carried=torch.bmm(memory_GRT, begun_GT1),
        written=torch.bmm(memory_GRT, surprise_GTT) * step_G1T,
        surprise_kept=begun_GT1[:, -1:],
        surprise_written=surprise_GTT[:, -1:] * step_G1T,
    )
    return mix, Decays(memory_GRT, surprise_GTT, begun_GT1)


def stepped(base: Weights, written_G1T: Float[Tensor, "G 1 T"], u: Gradients, k_GTC: Float[Tensor, "G T C"]) -> Weights:
    """Base + sum over s of written_s u_s."""
    weight_GT1 = written_G1T.mT
    return Weights(
        torch.baddbmm(base.up, u.up.mT, weight_GT1 * k_GTC),
        torch.baddbmm(base.down, (weight_GT1 * u.down).mT, u.hidden),
        torch.baddbmm(base.scale, written_G1T, u.scale),
    )


def last_memory(memory: Weights, surprise: Weights, mix: Mixing, u: Gradients, k: Float[Tensor, "G T C"]) -> Weights:
    """M at the end of the chunk (13)."""
    kept_G11, carried_G11 = mix.kept[:, -1:], mix.carried[:, -1:]
    base = ((m * kept_G11).addcmul_(s, carried_G11) for m, s in zip(memory, surprise, strict=True))
    return stepped(Weights(*base), mix.written[:, -1:], u, k)


def last_surprise(surprise: Weights, mix: Mixing, u: Gradients, k: Float[Tensor, "G T C"]) -> Weights:
    """S at the end of the chunk (14)."""
    return stepped(Weights(*(s * mix.surprise_kept for s in surprise)), mix.surprise_written, u, k)


def read_each(
    memory: Weights, surprise: Weights, mix: Mixing, u: Gradients, tokens: Tokens
) -> tuple[Float[Tensor, "G T C"], Reading, Normed]:
    """y_t = M_t(q_t) (15), layer by layer; a token meets those written before it in a masked product."""
    q_GTC, alike_GTT = tokens.q, torch.bmm(tokens.q, tokens.k.mT)
    a_GTE = torch.baddbmm(torch.bmm(mix.kept * q_GTC, memory.up.mT), mix.carried * q_GTC, surprise.up.mT)
    a_GTE = torch.baddbmm(a_GTE, mix.written * alike_GTT, u.up)
    hidden_GTE = functional.gelu(a_GTE)
    memory_GTC, surprise_GTC, tokens_GTT = (torch.bmm(hidden_GTE, x.mT) for x in (memory.down, surprise.down, u.hidden))
    z_GTC = (mix.kept * memory_GTC).addcmul_(mix.carried, surprise_GTC)
    at = norm(torch.baddbmm(z_GTC, mix.written * tokens_GTT, u.down))
    scale_GTC = (mix.kept * memory.scale).addcmul_(mix.carried, surprise.scale)
    scale_GTC = torch.baddbmm(scale_GTC, mix.written, u.scale)
    reading = Reading(alike_GTT, a_GTE, hidden_GTE, memory_GTC, surprise_GTC, tokens_GTT, scale_GTC)
    return torch.addcmul(q_GTC, scale_GTC, at.normed), reading, at
