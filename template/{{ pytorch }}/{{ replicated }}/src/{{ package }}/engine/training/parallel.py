"""Data-parallel training: every process holds the whole model, and their gradients are averaged."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from ..core.errors import Problem
from ..optim.averaging import moving_average
from .process_group import Processes, connected


class World(Processes):
    """The processes that train one model."""

    def average(self, model: nn.Module, decay: float, device: torch.device, warm_up: bool = False) -> AveragedModel:
        """A moving average of the weights that `model` has now; call it before `wrap`."""
        averaged = AveragedModel(model, multi_avg_fn=moving_average(decay, warm_up))
        averaged.module.to(device)
        return averaged

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model, moved to the device, with its gradients averaged over the processes."""
        model.to(device)
        if self.size == 1:
            return model
        return DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)

    def compile(self, network: nn.Module) -> Any:
        """What `wrap` gave, compiled."""
        return torch.compile(network)

    def accumulating(self, network: Any, last: bool) -> AbstractContextManager[None]:
        """Around a micro-batch: only the last one of a step exchanges gradients."""
        return nullcontext() if last or self.size == 1 else network.no_sync()

    def norm(self, gradients: list[Tensor]) -> Tensor:
        """The norm of all gradients together."""
        return torch.nn.utils.get_total_norm(gradients)

    def goes_on(self, run: Path, processes: int) -> None:
        """Confirm that a run of so many processes can be resumed.

        Raises:
            Problem: there are more or fewer now.
        """
        if processes == self.size:
            return
        module = __name__.partition(".")[0]
        how = f"torchrun --nproc-per-node {processes} -m {module}" if processes > 1 else f"python -m {module}"
        raise Problem(
            f"{run} was started with {processes} processes, not {self.size}: resume it with {how} train --resume"
        )


@contextmanager
def world(device: str) -> Iterator[World]:
    """The processes that torchrun started, or just this one."""
    with connected(device) as (rank, size):
        yield World(rank, size)
