"""Data-parallel training under `torchrun`; in a single process everything here is the identity."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class World:
    """This process among all of them."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the files and talks to the terminal."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def share(self, value: Any) -> Any:
        """The first process's value, on every process."""
        box = [value]
        if self.size > 1:
            dist.broadcast_object_list(box)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, in the order of ranks, on every process."""
        values = [value]
        if self.size > 1:
            values = [None] * self.size
            dist.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Wait for every process."""
        if self.size > 1:
            dist.barrier()

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model with its gradients averaged over the processes."""
        if self.size == 1:
            return model
        return DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """Let the first process do something, such as filling a cache, before the others."""
        if not self.first:
            self.barrier()
        yield
        if self.first:
            self.barrier()


@contextmanager
def world(device: str) -> Iterator[World]:
    """The processes that torchrun started, or just this one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield World(dist.get_rank(), size)
        # The first process serves the others until the last of them is done.
        dist.barrier()
    finally:
        # The wrapped model lies in reference cycles. What is left of them at the interpreter's end would still use the
        # connection's threads, which can abort the process after all its work is done.
        gc.collect()
        dist.destroy_process_group()
