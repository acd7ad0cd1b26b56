"""The way back through a chunk in closed form: of the loss's gradient in what `chunk.py` computes, that in its inputs.

Autograd would go through the inner gradient a second time node by node, and keep and add up far more on its way. Here
every product of the forward pass has two, and sums are formed in place. With g(x) for the loss's gradient in x:

    a product  P = A B          g(A) = g(P) Bᵀ       g(B) = Aᵀ g(P)
    u.up = passed gelu'(a)      g(passed) = g(u.up) gelu'(a)      g(a) = g(u.up) passed gelu''(a)
    u.down = J(z) f             g(f) = J g(u.down), with J the Jacobian of n = norm(z), a symmetric matrix:
        J = (I - 11ᵀ/C - nnᵀ/C) / std, so that besides, with g for g(u.down),
        g(n)   = -(mean(f n) g + mean(g n) f) / std
        g(z)   = J g(n) - mean(g u.down) n / std
    u.scale = e n               e = 2/C (k + scale n - v), the error; and f = scale e
    decay      L_ts = exp(A_t - A_s), A the sum of logarithms     g(A_t) = sum over s of (g(L) L)_ts - (g(L) L)_st

Each function goes on from the gradient that its docstring names first: it adds what it finds to `Sums`, or returns it.
Dimensions as in `memory.py`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .chunk_forward import (
    Decays,
    Gradients,
    Mixing,
    Normed,
    Reading,
    Recall,
    Tokens,
    Weights,
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


class Past(NamedTuple):
    """The memory or the surprise that a chunk was given, how much of it is in each row's M, and g of both."""

    weights: Weights
    factor: Float[Tensor, "G R 1"]
    to_weights: Weights
    to_factor: Float[Tensor, "G R 1"]


def nothing(memory: Weights, u: Gradients, mix: Mixing, tokens: Tokens) -> Sums:
    """Before anything is added."""
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
    y_GTC: Float[Tensor, "G T C"],
    memory: Weights,
    surprise: Weights,
    tokens: Tokens,
    u: Gradients,
    mix: Mixing,
    reading: Reading,
    at: Normed,
    sums: Sums,
) -> None:
    """Of the gradient in y = q + scale n (15), layer by layer from the last."""
    past = (
        Past(memory, mix.kept, sums.memory, sums.mix.kept),
        Past(surprise, mix.carried, sums.surprise, sums.mix.carried),
    )
    through_scale(y_GTC * at.normed, past, u, mix, sums)
    z_GTC = through_norm(y_GTC * reading.scale, at)
    hidden_GTE = through_down(z_GTC, past, u, mix, reading, sums)
    through_up(through_gelu(hidden_GTE, reading.a), past, tokens, u, mix, reading, sums)
    sums.q.add_(y_GTC)


def through_scale(
    scale_GTC: Float[Tensor, "G T C"], past: Sequence[Past], u: Gradients, mix: Mixing, sums: Sums
) -> None:
    """Of the gradient in scale_t, which is the sum of the past's factor_t scale, and of written_ts u.scale_s."""
    for weights, factor, to_weights, to_factor in past:
        to_weights.scale.baddbmm_(factor.mT, scale_GTC)
        to_factor.baddbmm_(scale_GTC, weights.scale.mT)
    sums.u.scale.baddbmm_(mix.written.mT, scale_GTC)
    sums.mix.written.baddbmm_(scale_GTC, u.scale.mT)


def through_down(
    z_GTC: Float[Tensor, "G T C"], past: Sequence[Past], u: Gradients, mix: Mixing, reading: Reading, sums: Sums
) -> Float[Tensor, "G T E"]:
    """Of the gradient in z_t, the sum of factor_t W1 h_t, and of written_ts (h_t u.hidden_s) u.down_s, that in h."""
    met_GTT = torch.bmm(z_GTC, u.down.mT)
    sums.mix.written.addcmul_(met_GTT, reading.from_tokens)
    sums.u.down.baddbmm_((mix.written * reading.from_tokens).mT, z_GTC)
    from_tokens_GTT = met_GTT.mul_(mix.written)
    sums.u.hidden.baddbmm_(from_tokens_GTT.mT, reading.hidden)
    hidden_GTE = torch.bmm(from_tokens_GTT, u.hidden)
    found = reading.from_memory, reading.from_surprise
    for (weights, factor, to_weights, to_factor), found_GTC in zip(past, found, strict=True):
        weighed_GTC = factor * z_GTC
        hidden_GTE.baddbmm_(weighed_GTC, weights.down)
        to_weights.down.baddbmm_(weighed_GTC.mT, reading.hidden)
        to_factor.add_((z_GTC * found_GTC).sum(-1, keepdim=True))
    return hidden_GTE


def through_up(
    a_GTE: Float[Tensor, "G T E"],
    past: Sequence[Past],
    tokens: Tokens,
    u: Gradients,
    mix: Mixing,
    reading: Reading,
    sums: Sums,
) -> None:
    """Of the gradient in a_t, the sum of factor_t W2 q_t, and of written_ts (q_t k_s) u.up_s."""
    met_GTT = torch.bmm(a_GTE, u.up.mT)
    sums.mix.written.addcmul_(met_GTT, reading.alike)
    sums.u.up.baddbmm_((mix.written * reading.alike).mT, a_GTE)
    alike_GTT = met_GTT.mul_(mix.written)
    sums.q.baddbmm_(alike_GTT, tokens.k)
    sums.k.baddbmm_(alike_GTT.mT, tokens.q)
    for weights, factor, to_weights, to_factor in past:
        q_GTC = torch.bmm(a_GTE, weights.up)
        sums.q.addcmul_(factor, q_GTC)
        to_factor.add_(q_GTC.mul_(tokens.q).sum(-1, keepdim=True))
        to_weights.up.baddbmm_(a_GTE.mT, factor * tokens.q)


def through_last_memory(
    ended: Weights, memory: Weights, surprise: Weights, tokens: Tokens, u: Gradients, mix: Mixing, sums: Sums
) -> None:
    """Of the gradient in M at the chunk's end (13), which is made of the last row's factors."""
    its = sums.mix
    through_past(ended, Past(memory, mix.kept[:, -1:], sums.memory, its.kept[:, -1:]))
    through_past(ended, Past(surprise, mix.carried[:, -1:], sums.surprise, its.carried[:, -1:]))
    through_steps(ended, mix.written[:, -1:], its.written[:, -1:], u, tokens.k, sums)


def through_last_surprise(
    ended: Weights, surprise: Weights, tokens: Tokens, u: Gradients, mix: Mixing, sums: Sums
) -> None:
    """Of the gradient in S at the chunk's end (14)."""
    through_past(ended, Past(surprise, mix.surprise_kept, sums.surprise, sums.mix.surprise_kept))
    through_steps(ended, mix.surprise_written, sums.mix.surprise_written, u, tokens.k, sums)


def through_past(ended: Weights, past: Past) -> None:
    """Of the gradient in factor W."""
    for grad, weight, to_weight in zip(ended, past.weights, past.to_weights, strict=True):
        to_weight.addcmul_(grad, past.factor)
        past.to_factor.add_(torch.linalg.vecdot(grad.flatten(1), weight.flatten(1))[:, None, None])


def through_steps(
    ended: Weights,
    written_G1T: Float[Tensor, "G 1 T"],
    to_written_G1T: Float[Tensor, "G 1 T"],
    u: Gradients,
    k_GTC: Float[Tensor, "G T C"],
    sums: Sums,
) -> None:
    """Of the gradient in the sum over s of written_s u_s."""
    weight_GT1 = written_G1T.mT
    k_found_GTC, down_found_GTC = torch.bmm(u.up, ended.up), torch.bmm(u.hidden, ended.down.mT)
    sums.k.addcmul_(k_found_GTC, weight_GT1)
    sums.u.down.addcmul_(down_found_GTC, weight_GT1)
    sums.u.up.baddbmm_(weight_GT1 * k_GTC, ended.up.mT)
    sums.u.hidden.baddbmm_(weight_GT1 * u.down, ended.down)
    sums.u.scale.addcmul_(weight_GT1, ended.scale)
    products_GTC = k_found_GTC.mul_(k_GTC).addcmul_(down_found_GTC, u.down).addcmul_(u.scale, ended.scale)
    to_written_G1T.add_(products_GTC.sum(-1)[:, None])


def through_mixing(
    to: Mixing, tokens: Tokens, mix: Mixing, decays: Decays
) -> tuple[Float[Tensor, "G T"], Float[Tensor, "G T"], Float[Tensor, "G T"]]:
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
    """Of the gradient in u, that in v; those in k and in the weights at which u was taken are added."""
    to = sums.u
    a_GTE = curvature(recall.a).mul_(recall.passed).mul_(to.up)
    passed_GTE = to.up.mul_(recall.slope)
    down_GTC = to.down.baddbmm_(passed_GTE, start.down.mT)
    z_GTC, recalled_GTC, scale_GTC = through_error(down_GTC, to.scale, start.scale, u.down, recall.error, at)
    a_GTE.addcmul_(to.hidden.baddbmm_(z_GTC, start.down), recall.slope)
    sums.k.add_(recalled_GTC).baddbmm_(a_GTE, start.up)
    to_start.up.baddbmm_(a_GTE.mT, k_GTC)
    to_start.down.baddbmm_(u.down.mT, passed_GTE).baddbmm_(z_GTC.mT, u.hidden)
    to_start.scale.add_(scale_GTC.sum(1, keepdim=True))
    return recalled_GTC.neg()


def through_error(
    to_down_GTC: Float[Tensor, "G T C"],
    to_scale_GTC: Float[Tensor, "G T C"],
    scale_G1C: Float[Tensor, "G 1 C"],
    down_GTC: Float[Tensor, "G T C"],
    error_GTC: Float[Tensor, "G T C"],
    at: Normed,
) -> tuple[Float[Tensor, "G T C"], Float[Tensor, "G T C"], Float[Tensor, "G T C"]]:
    """Of the gradients in u.down and u.scale, those in z, in M(k), and in the scale by each token."""
    f_GTC, to_f_GTC = error_GTC * scale_G1C, through_norm(to_down_GTC, at)
    recalled_GTC = torch.addcmul(to_scale_GTC * at.normed, to_f_GTC, scale_G1C).mul_(2 / f_GTC.shape[-1])
    normed_GTC = torch.addcmul(scale_G1C * recalled_GTC, to_scale_GTC, error_GTC)
    f_mean, to_mean, own_mean = (
        (x * y).mean(-1, keepdim=True).mul_(at.inverse_std)
        for x, y in ((f_GTC, at.normed), (to_down_GTC, at.normed), (to_down_GTC, down_GTC))
    )
    normed_GTC.addcmul_(f_mean, to_down_GTC, value=-1).addcmul_(to_mean, f_GTC, value=-1)
    z_GTC = through_norm(normed_GTC, at).addcmul_(own_mean, at.normed, value=-1)
    return z_GTC, recalled_GTC, torch.addcmul(to_f_GTC * error_GTC, at.normed, recalled_GTC)


def curvature(a_GTE: Float[Tensor, "G T E"]) -> Float[Tensor, "G T E"]:
    """gelu''(a) = (2 - a²) phi(a), with phi the normal density."""
    square_GTE = a_GTE * a_GTE
    density_GTE = (square_GTE * -0.5).exp_()
    return density_GTE.mul_(square_GTE.sub_(2)).mul_(-1 / math.sqrt(2 * math.pi))
