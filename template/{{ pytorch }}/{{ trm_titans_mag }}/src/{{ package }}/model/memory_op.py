"""A chunk as one operation of autograd's: `chunk.py` computes it, and `adjoint.py` goes back through it.

Dimensions as in `memory.py`.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .chunk_backward import (
    nothing,
    through_gradients,
    through_last_memory,
    through_last_surprise,
    through_mixing,
    through_reading,
)
from .chunk_forward import (
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
)

GIVEN = (Weights, Weights, Tokens)
"""Memory, surprise and tokens; the weights at which the chunk began follow where those are others than the memory."""


def work(
    answers: bool, ends: bool, surprises: bool, start: Weights, memory: Weights, surprise: Weights, tokens: Tokens
) -> list[Tensor]:
    """What is asked for of a chunk's answers, its last memory and its last surprise, flat.

    The chunk may be a piece of one: it began at `start`, and goes on from `memory` and `surprise`.
    """
    # The compiler refuses a tensor that is given twice.
    begun = () if start.up is memory.up else start
    given = (*memory, *surprise, *tokens, *begun)
    return list(Chunk.apply(answers, ends, surprises, bool(begun), *given))  # type: ignore[no-untyped-call]


class Chunk(torch.autograd.Function):
    """`work`, of tensors."""

    @staticmethod
    def forward(
        ctx: Any, answers: bool, ends: bool, surprises: bool, begun: bool, *given: Tensor
    ) -> tuple[Tensor, ...]:
        memory, surprise, tokens, *start = grouped(given, *GIVEN, *[Weights] * begun)
        u, recall, at = gradients(start[0] if begun else memory, tokens.k, tokens.v)
        mix, decays = mixing(tokens, tokens.k.shape[1] if answers else 1)
        found, kept = [], [*given, *u, *recall, *at, *mix, *decays]
        if answers:
            y_GTC, reading, read_at = read_each(memory, surprise, mix, u, tokens)
            found.append(y_GTC)
            kept += [*reading, *read_at]
        if ends:
            found += last_memory(memory, surprise, mix, u, tokens.k)
        if surprises:
            found += last_surprise(surprise, mix, u, tokens.k)
        ctx.save_for_backward(*kept)
        ctx.answers, ctx.ends, ctx.surprises, ctx.begun = answers, ends, surprises, begun
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        # As in the forward pass, also where the gradient is asked for under autocast.
        with torch.autocast(grads[0].device.type, enabled=False):
            return (None, None, None, None, *through_chunk(ctx, grads))


def through_chunk(ctx: Any, grads: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Of the gradients in a chunk's results, those in what it was given."""
    kinds = [*GIVEN, *[Weights] * ctx.begun, Gradients, Recall, Normed, Mixing, Decays]
    kinds += [Reading, Normed] * ctx.answers
    memory, surprise, tokens, *kept = grouped(ctx.saved_tensors, *kinds)
    start = kept.pop(0) if ctx.begun else memory
    u, recall, at, mix, decays, *read = kept
    sums = nothing(memory, u, mix, tokens)
    if ctx.answers:
        reading, read_at = read
        through_reading(grads[0], memory, surprise, tokens, u, mix, reading, read_at, sums)
        grads = grads[1:]
    if ctx.ends:
        through_last_memory(Weights(*grads[:3]), memory, surprise, tokens, u, mix, sums)
    if ctx.surprises:
        through_last_surprise(Weights(*grads[3:]), surprise, tokens, u, mix, sums)
    rates = through_mixing(sums.mix, tokens, mix, decays)
    to_start = Weights(*map(torch.zeros_like, start)) if ctx.begun else sums.memory
    v_GTC = through_gradients(sums, to_start, start, tokens.k, u, recall, at)
    return (*sums.memory, *sums.surprise, sums.q, sums.k, v_GTC, *rates, *(to_start if ctx.begun else ()))


def grouped(flat: tuple[Tensor, ...], *kinds: Any) -> list[Any]:
    """Tensors that lie behind each other, as the tuples that they were."""
    found, first = [], 0
    for kind in kinds:
        found.append(kind(*flat[first : first + len(kind._fields)]))
        first += len(kind._fields)
    return found
