"""The moving average of the weights that `--train.ema` asks for."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Update = Callable[[Sequence[Any], Sequence[Any], Tensor | int], None]
"""Brings the average of so many updates to the next one, in place: PyTorch's `AveragedModel` calls it."""


def moving_average(decay: float, warm_up: bool) -> Update:
    """An exponential moving average.

    With `warm_up`, the n-th update keeps (1 + n) / (10 + n) of the average until that reaches `decay`, as TensorFlow's
    `ExponentialMovingAverage` does: otherwise a short training is averaged with its random start.
    """

    @torch.no_grad()
    def update(averaged: Sequence[Any], current: Sequence[Any], updates: Tensor | int) -> None:
        kept = decay
        if warm_up:
            n = int(updates)
            kept = min(decay, (1 + n) / (10 + n))
        torch._foreach_lerp_(list(averaged), list(current), 1 - kept)

    return update
