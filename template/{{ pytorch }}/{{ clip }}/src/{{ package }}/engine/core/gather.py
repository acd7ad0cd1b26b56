"""The rows of all processes, with their gradients."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class _Gather(torch.autograd.Function):
    """Concatenates; the gradient of a process's rows is the sum of what every process found for them."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed.chunk(dist.get_world_size())[dist.get_rank()]


def together() -> bool:
    """Whether all processes compute this: without gradient, the first one measures alone and must not wait for them."""
    return dist.is_initialized() and torch.is_grad_enabled()


def gather(rows: Tensor) -> Tensor:
    """The rows of all processes in the order of their ranks, (processes x B, ...), from each one's equally many rows.

    A loss that is summed over the processes then has the gradient of the whole batch. In a single process, and where
    one measures alone, these are the rows themselves.
    """
    if not together():
        return rows
    gathered: Tensor = _Gather.apply(rows.contiguous())  # type: ignore[no-untyped-call]
    return gathered


def first_row(count: int) -> int:
    """Where this process's rows begin among the gathered ones, of which each process has `count`."""
    return dist.get_rank() * count if together() else 0
