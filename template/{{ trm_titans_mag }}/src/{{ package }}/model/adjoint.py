"""The way back through a chunk in closed form: of the loss's gradient in what `chunk.py` computes, that in its inputs.

Autograd would go through the inner gradient a second time node by node, and keep and add up far more on its way. Here
every product of the forward pass has two, and sums are formed in place. With L the loss, g(x) = dL/dx, and J the
Jacobian of the norm, which is symmetric in the space of its result:

    a product  P = A B          g(A) = g(P) Bᵀ       g(B) = Aᵀ g(P)
    u.up = passed gelu'(a)      g(passed) = g(u.up) gelu'(a)      g(a) = g(u.up) passed gelu''(a)
    u.down = J(z) f             g(f) = J g(u.down)
        J = (I - 11ᵀ/C - nnᵀ/C) / std, so that beside g(f)
        g(n)   = -(mean(f n) g + mean(g n) f) / std,  with g for g(u.down); and n = norm(z)
        g(z)   = J g(n) - mean(g u.down) n / std
    decay      L_ts = exp(A_t - A_s), A the sum of logarithms     g(A_t) = sum over s of (g(L) L)_ts - (g(L) L)_st

Dimensions as in `memory.py`.
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from .chunk import (
    Decays,
    Gradients,
    Mixing,
    Normed,
    Reading,
    Recall,
    Tokens,
    Weights,
    gradients,
    last_memory,
    last_surprise,
    mixing,
    read_each,
    through_gelu,
    through_norm,
)


class Sums(NamedTuple):
    """The loss's gradient in what a chunk is given and computes, as far as it is known; more is added in place."""

    memory: Weights
    surprise: Weights
    u: Gradients
    mix: Mixing
    q: Float[Tensor, "G T C"]
    k: Float[Tensor, "G T C"]


class Chunk(torch.autograd.Function):
    """A chunk, or a piece of one: the answers, the last memory and the last surprise."""

    @staticmethod
    def forward(ctx: Any, answers: bool, ends: bool, surprises: bool, *given: Tensor) -> tuple[Tensor, ...]:
        """Of memory, surprise, tokens and where the chunk began, the results that are asked for."""
        begun = len(given) > 12
        memory, surprise, tokens, *start = grouped(given, Weights, Weights, Tokens, *[Weights] * begun)
        u, recall, at = gradients(start[0] if begun else memory, tokens.k, tokens.v)
        mix, decays = mixing(tokens, tokens.k.shape[1] if answers else 1)
        found, kept = [], [*given[:12], *u, *recall, *at, *mix, *decays]
        if answers:
            y_GTC, reading, read_at = read_each(memory, surprise, mix, u, tokens)
            found.append(y_GTC)
            kept += [*reading, *read_at]
        if ends:
            found += last_memory(memory, surprise, mix, u, tokens.k)
        if surprises:
            found += last_surprise(surprise, mix, u, tokens.k)
        ctx.save_for_backward(*kept, *given[12:])
        ctx.answers, ctx.ends, ctx.surprises, ctx.begun = answers, ends, surprises, begun
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        # As in the forward pass, also where the gradient is asked for under autocast.
        with torch.autocast(grads[0].device.type, enabled=False):
            return through_chunk(ctx, grads)


def through_chunk(ctx: Any, grads: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
    """Of the gradients in a chunk's results, those in what it was given."""
    kinds = [Weights, Weights, Tokens, Gradients, Recall, Normed, Mixing, Decays]
    kinds += [Reading, Normed] * ctx.answers + [Weights] * ctx.begun
    memory, surprise, tokens, u, recall, at, mix, decays, *more = grouped(ctx.saved_tensors, *kinds)
    if ctx.answers:
        sums = through_reading(grads[0], memory, surprise, tokens, u, mix, *more[:2])
        grads = grads[1:]
    else:
        sums = nothing(memory, u, mix, tokens)
    if ctx.ends:
        ended, written, its = Weights(*grads[:3]), mix.written[:, -1:], sums.mix
        through_steps(ended, written, its.written[:, -1:], u, tokens.k, sums)
        through_factor(ended, memory, mix.kept[:, -1:], sums.memory, its.kept[:, -1:])
        through_factor(ended, surprise, mix.carried[:, -1:], sums.surprise, its.carried[:, -1:])
    if ctx.surprises:
        ended = Weights(*grads[3:])
        through_steps(ended, mix.surprise_written, sums.mix.surprise_written, u, tokens.k, sums)
        through_factor(ended, surprise, mix.surprise_kept, sums.surprise, sums.mix.surprise_kept)
    rates = through_mixing(sums.mix, tokens, mix, decays)
    to_start = Weights(*map(torch.zeros_like, memory)) if ctx.begun else sums.memory
    v_GTC = through_gradients(sums, to_start, more[-1] if ctx.begun else memory, tokens.k, u, recall, at)
    begun = to_start if ctx.begun else ()
    return None, None, None, *sums.memory, *sums.surprise, sums.q, sums.k, v_GTC, *rates, *begun


def work(
    answers: bool, ends: bool, surprises: bool, start: Weights, memory: Weights, surprise: Weights, tokens: Tokens
) -> list[Tensor]:
    """What is asked for of a chunk's answers, its last memory and its last surprise."""
    # The compiler refuses a tensor that is given twice.
    begun = () if start.up is memory.up else start
    given = (*memory, *surprise, *tokens, *begun)
    return list(Chunk.apply(answers, ends, surprises, *given))  # type: ignore[no-untyped-call]


def grouped(flat: tuple[Tensor, ...], *kinds: Any) -> list[Any]:
    """Tensors that lie behind each other, as the tuples that they were."""
    found, first = [], 0
    for kind in kinds:
        found.append(kind(*flat[first : first + len(kind._fields)]))
        first += len(kind._fields)
    return found


def nothing(memory: Weights, u: Gradients, mix: Mixing, tokens: Tokens) -> Sums:
    """Where nothing was read."""
    zeros = torch.zeros_like
    return Sums(
        Weights(*map(zeros, memory)),
        Weights(*map(zeros, memory)),
        Gradients(*map(zeros, u)),
        Mixing(*map(zeros, mix)),
        zeros(tokens.k),
        zeros(tokens.k),
    )


def through_reading(
    y: Float[Tensor, "G T C"],
    memory: Weights,
    surprise: Weights,
    tokens: Tokens,
    u: Gradients,
    mix: Mixing,
    reading: Reading,
    at: Normed,
) -> Sums:
    """Of the gradient in the answers."""
    scale_GTC, q_GTC = y * at.normed, tokens.q
    z_GTC = through_norm(y * reading.scale, at)
    mixed_GTT = torch.bmm(z_GTC, u.down.mT)
    kept_GTC, carried_GTC, tokens_GTT = mix.kept * z_GTC, mix.carried * z_GTC, mix.written * mixed_GTT
    hidden_GTE = torch.bmm(kept_GTC, memory.down).baddbmm_(carried_GTC, surprise.down).baddbmm_(tokens_GTT, u.hidden)
    a_GTE = through_gelu(hidden_GTE, reading.a)
    q_kept_GTC, q_carried_GTC = torch.bmm(a_GTE, memory.up), torch.bmm(a_GTE, surprise.up)
    alike_GTT = torch.bmm(a_GTE, u.up.mT)
    written_GTT = mixed_GTT.mul_(reading.from_tokens).baddbmm_(scale_GTC, u.scale.mT).addcmul_(alike_GTT, reading.alike)
    alike_GTT.mul_(mix.written)
    kept_GT1, carried_GT1 = (
        (passed * q_GTC).addcmul_(z_GTC, found).addcmul_(scale_GTC, scale).sum(-1, keepdim=True)
        for passed, found, scale in (
            (q_kept_GTC, reading.from_memory, memory.scale),
            (q_carried_GTC, reading.from_surprise, surprise.scale),
        )
    )
    a_GET, hidden_GTE = a_GTE.mT, reading.hidden
    return Sums(
        Weights(
            torch.bmm(a_GET, mix.kept * q_GTC),
            torch.bmm(kept_GTC.mT, hidden_GTE),
            torch.bmm(mix.kept.mT, scale_GTC),
        ),
        Weights(
            torch.bmm(a_GET, mix.carried * q_GTC),
            torch.bmm(carried_GTC.mT, hidden_GTE),
            torch.bmm(mix.carried.mT, scale_GTC),
        ),
        Gradients(
            torch.bmm(tokens_GTT.mT, hidden_GTE),
            torch.bmm((mix.written * reading.alike).mT, a_GTE),
            torch.bmm((mix.written * reading.from_tokens).mT, z_GTC),
            torch.bmm(mix.written.mT, scale_GTC),
        ),
        Mixing(
            kept_GT1,
            carried_GT1,
            written_GTT,
            torch.zeros_like(mix.surprise_kept),
            torch.zeros_like(mix.surprise_written),
        ),
        torch.addcmul(y, mix.kept, q_kept_GTC).addcmul_(mix.carried, q_carried_GTC).baddbmm_(alike_GTT, tokens.k),
        torch.bmm(alike_GTT.mT, q_GTC),
    )


def through_steps(
    ended: Weights,
    written_G1T: Float[Tensor, "G 1 T"],
    to_written_G1T: Float[Tensor, "G 1 T"],
    u: Gradients,
    k_GTC: Float[Tensor, "G T C"],
    sums: Sums,
) -> None:
    """Of the gradient in a sum over s of written_s u_s."""
    weight_GT1 = written_G1T.mT
    k_found_GTC, down_found_GTC = torch.bmm(u.up, ended.up), torch.bmm(u.hidden, ended.down.mT)
    sums.k.addcmul_(k_found_GTC, weight_GT1)
    sums.u.down.addcmul_(down_found_GTC, weight_GT1)
    sums.u.up.baddbmm_(weight_GT1 * k_GTC, ended.up.mT)
    sums.u.hidden.baddbmm_(weight_GT1 * u.down, ended.down)
    sums.u.scale.addcmul_(weight_GT1, ended.scale)
    products_GTC = k_found_GTC.mul_(k_GTC).addcmul_(down_found_GTC, u.down).addcmul_(u.scale, ended.scale)
    to_written_G1T.add_(products_GTC.sum(-1)[:, None])


def through_factor(
    ended: Weights, base: Weights, factor: Float[Tensor, "G 1 1"], to_base: Weights, to_factor: Float[Tensor, "G 1 1"]
) -> None:
    """Of the gradient in factor times base."""
    for grad, weight, to_weight in zip(ended, base, to_base, strict=True):
        to_weight.addcmul_(grad, factor)
        to_factor.add_(torch.linalg.vecdot(grad.flatten(1), weight.flatten(1))[:, None, None])


def through_mixing(to: Mixing, tokens: Tokens, mix: Mixing, decays: Decays) -> tuple[Tensor, Tensor, Tensor]:
    """Of the gradient in the mixing, that in theta, log_eta and log_kept."""
    step_G1T, last = -tokens.theta[:, None], decays.surprise[:, -1:]
    unrolled_GRT = torch.bmm(decays.memory, decays.surprise)
    theta_GT = (to.written * unrolled_GRT).sum(1).addcmul_(to.surprise_written[:, 0], last[:, 0]).neg_()
    written_GRT = to.written * step_G1T
    memory_GRT = torch.bmm(written_GRT, decays.surprise.mT).baddbmm_(to.carried, decays.begun.mT)
    surprise_GTT = torch.bmm(decays.memory.mT, written_GRT)
    surprise_GTT[:, -1:].addcmul_(to.surprise_written, step_G1T)
    begun_GT1 = torch.bmm(decays.memory.mT, to.carried)
    begun_GT1[:, -1:].add_(to.surprise_kept)
    return (
        theta_GT,
        through_decay(surprise_GTT, decays.surprise, begun_GT1 * decays.begun),
        through_decay(memory_GRT, decays.memory, to.kept * mix.kept),
    )


def through_decay(
    grad_GRT: Float[Tensor, "G R T"], decay_GRT: Float[Tensor, "G R T"], log_begun_GR1: Float[Tensor, "G R 1"]
) -> Float[Tensor, "G T"]:
    """Of the gradient in a decay, and in what is left of the start, that in each factor's logarithm."""
    log_GRT = grad_GRT * decay_GRT
    total_GT = -log_GRT.sum(1)
    total_GT[:, -log_GRT.shape[1] :].add_(log_GRT.sum(2)).add_(log_begun_GR1[..., 0])
    return total_GT.flip(1).cumsum(1).flip(1)


def through_gradients(
    sums: Sums,
    to_start: Weights,
    start: Weights,
    k_GTC: Float[Tensor, "G T C"],
    u: Gradients,
    recall: Recall,
    at: Normed,
) -> Float[Tensor, "G T C"]:
    """Of the gradient in u, that in v; those in k and in the weights at which it was taken are added."""
    to, scale, part = sums.u, start.scale, 2 / k_GTC.shape[-1]
    a_GTE = curvature(recall.a).mul_(recall.passed).mul_(to.up)
    passed_GTE = to.up.mul_(recall.slope)
    down_GTC = to.down.baddbmm_(passed_GTE, start.down.mT)
    f_GTC, to_f_GTC = recall.error * scale, through_norm(down_GTC, at)
    error_GTC = torch.addcmul(to.scale * at.normed, to_f_GTC, scale)
    normed_GTC = torch.addcmul(part * scale * error_GTC, to.scale, recall.error)
    f_mean, grad_mean, own_mean = (
        (x * y).mean(-1, keepdim=True).mul_(at.inverse_std)
        for x, y in ((f_GTC, at.normed), (down_GTC, at.normed), (down_GTC, u.down))
    )
    normed_GTC.addcmul_(f_mean, down_GTC, value=-1).addcmul_(grad_mean, f_GTC, value=-1)
    z_GTC = through_norm(normed_GTC, at).addcmul_(own_mean, at.normed, value=-1)
    a_GTE.addcmul_(to.hidden.baddbmm_(z_GTC, start.down), recall.slope)
    scales_GTC = torch.addcmul(to_f_GTC * recall.error, at.normed, error_GTC, value=part)
    error_GTC.mul_(part)
    sums.k.add_(error_GTC).baddbmm_(a_GTE, start.up)
    to_start.up.baddbmm_(a_GTE.mT, k_GTC)
    to_start.down.baddbmm_(u.down.mT, passed_GTE).baddbmm_(z_GTC.mT, u.hidden)
    to_start.scale.add_(scales_GTC.sum(1, keepdim=True))
    return error_GTC.neg()


def curvature(a_GTE: Float[Tensor, "G T E"]) -> Float[Tensor, "G T E"]:
    """gelu''(a) = (2 - a²) phi(a), with phi the normal density."""
    square_GTE = a_GTE * a_GTE
    density_GTE = (square_GTE * -0.5).exp_()
    return density_GTE.mul_(square_GTE.sub_(2)).mul_(-1 / math.sqrt(2 * math.pi))
