"""The processes that `torchrun` started, and what they tell each other; in a single one everything is the identity."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ..core.errors import Problem

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: the first one prepares the data, and measures at the end."""


@dataclass(frozen=True)
class Processes:
    """This process among all of them."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process talks to the terminal, and writes what is written once."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def broadcast(self, value: Any) -> Any:
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

    def collect(self, value: Any) -> list[Any]:
        """Every process's value, in the order of ranks, on the first process; nothing on the others."""
        if self.size == 1:
            return [value]
        values = [None] * self.size if self.is_main else None
        dist.gather_object(value, values)
        return values or []

    def barrier(self) -> None:
        """Wait for every process."""
        if self.size > 1:
            dist.barrier()

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Let the first process do something, such as filling a cache, before the others."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()


def world_size() -> int:
    """How many processes `torchrun` started; 1 where it started none.

    Raises:
        Problem: the environment says so by half.
    """
    size = os.environ.get("WORLD_SIZE") or "1"
    if size == "1":
        return 1
    needed = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    missing = [name for name in needed if not os.environ.get(name)]
    if missing or not size.isdecimal():
        lacking = f", and {' and '.join(missing)} not set" if missing else ""
        raise Problem(f"WORLD_SIZE is {size}{lacking}: start several processes with torchrun, or unset WORLD_SIZE")
    return int(size)


@contextmanager
def connected(device: str) -> Iterator[tuple[int, int]]:
    """This process's rank and the number of processes, with a connection between them where there are several.

    Raises:
        Problem: the environment or the device does not allow several.
    """
    size = world_size()
    if size == 1:
        yield 0, 1
        return
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if device == "mps" or (device == "auto" and not cuda and torch.backends.mps.is_available()):
        raise Problem("Apple's GPU cannot be shared by several processes: add --train.device cpu")
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if cuda and dist.is_nccl_available() else "gloo", timeout=PATIENCE)
    try:
        yield dist.get_rank(), size
        # The first process serves the others until the last of them is done.
        dist.barrier()
    finally:
        # The wrapped model lies in reference cycles. What is left of them at the interpreter's end would still use the
        # connection's threads, which can abort the process after all its work is done.
        gc.collect()
        dist.destroy_process_group()
