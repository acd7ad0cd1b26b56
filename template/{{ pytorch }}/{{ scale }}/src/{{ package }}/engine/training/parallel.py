"""Sharded training: every process keeps a part of the weights, gradients and optimizer, and computes on its own data.

PyTorch's FSDP2 gathers the weights of one block while it computes, and frees them afterwards. Here:

- a block is a child of an `nn.ModuleList`, as in a transformer; the rest of the model is one more
- weights are kept, gathered and reduced in float32; autocast casts inside of each operation, so that one process and
  many compute alike
- gradients are reduced after each micro-batch: kept until the last one, they would be whole on every process
"""

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..core.errors import Problem
from ..core.files import write_atomically
from ..optim.averaging import moving_average
from .process_group import Processes, connected


class World(Processes):
    """The processes that train one model."""

    def average(self, model: nn.Module, decay: float, device: torch.device, warm_up: bool = False) -> AveragedModel:
        """A moving average of the weights that `model` has now, sharded alike; call it before `wrap`."""
        averaged = AveragedModel(model, multi_avg_fn=moving_average(decay, warm_up))
        self.wrap(averaged.module, device)
        return averaged

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Move the model to the device and keep only this process's part of it, in place.

        Raises:
            Problem: a parameter cannot be sharded.
        """
        if self.size == 1:
            return model.to(device)
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        refuse_scalars(model)
        mesh = init_device_mesh(device.type, (self.size,))
        for part in (*blocks(model), model):
            # The default leaves the outermost part gathered after an evaluation, and the optimizer would not see it.
            fully_shard(part, mesh=mesh, reshard_after_forward=True)
        model.register_forward_hook(take_buffers)
        return model

    def compile(self, network: nn.Module) -> Any:
        """What `wrap` gave, compiled in place, block by block: gathering weights stays outside of the graphs."""
        for part in blocks(network) or [network]:
            part.forward = torch.compile(part.forward)
        return network

    def accumulating(self, network: Any, last: bool) -> AbstractContextManager[None]:
        """Around a micro-batch: each of them exchanges gradients."""
        return nullcontext()

    def norm(self, gradients: list[Tensor]) -> Tensor:
        """The norm of all gradients together."""
        norm = torch.nn.utils.get_total_norm(gradients)
        return norm if self.size == 1 else norm.full_tensor()  # type: ignore[attr-defined]

    def goes_on(self, run: Path, processes: int | list[int]) -> None:
        """Resume a run on however many processes; where their number changes, say so and record it in the run."""
        counts = processes if isinstance(processes, list) else [processes]
        if counts[-1] == self.size or not self.is_main:
            return
        said = f"{run} was trained with {counts[-1]} processes, and now there are {self.size}"
        print(f"{said}: it goes on equal up to rounding, not to the bit", file=sys.stderr)
        file = run / "environment.json"
        environment = json.loads(file.read_text(encoding="utf-8")) | {"processes": [*counts, self.size]}
        write_atomically(file, json.dumps(environment, indent=2) + "\n")


def blocks(model: nn.Module) -> list[nn.Module]:
    """The children of the outermost lists of modules, each once: what a deep model repeats."""
    found: list[nn.Module] = []
    for child in model.children():
        container = isinstance(child, nn.ModuleList | nn.ModuleDict)
        found += [child] if isinstance(model, nn.ModuleList) and not container else blocks(child)
    return list(dict.fromkeys(found))


def refuse_scalars(model: nn.Module) -> None:
    """Raise a Problem where a parameter has no dimension to shard."""
    scalars = [name for name, parameter in model.named_parameters() if parameter.ndim == 0]
    if scalars:
        raise Problem(
            f"{', '.join(scalars)} has no dimension that could be sharded: give it the shape (1,) in model.py"
        )


def take_buffers(model: nn.Module, arguments: Any, output: Any) -> None:
    """Give every process the first one's running statistics, as data-parallel training does."""
    if not model.training:
        return
    kept = model.state_dict(keep_vars=True).keys() & dict(model.named_buffers()).keys()
    for name in sorted(kept):
        dist.broadcast(model.get_buffer(name), 0)


@contextmanager
def world(device: str) -> Iterator[World]:
    """The processes that torchrun started, or just this one."""
    with connected(device) as (rank, size):
        yield World(rank, size)
