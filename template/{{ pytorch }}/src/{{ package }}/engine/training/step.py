"""One optimizer step, and everything that it changes.

The batch of a step is cut into micro-batches, which the processes share. Their gradients are summed, divided by the
total units that the losses are sums over, clipped, and given to the optimizers.
"""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from ..core.batch import Batch
from ..core.errors import Diverged, Problem
from ..optim.schedules import Schedule
from ..task import Context, Output, Task
from .checkpoint import load_fitting
from .config import TrainConfig
from .device import Device, compiles
from .parallel import World
from .seeding import derive_seed, generator, seed_all

PARTS = ("data", "forward", "backward", "optimizer")


class Step(NamedTuple):
    """What one optimizer step did."""

    loss: float
    """Per unit."""
    norm: float
    """Of the gradient, before clipping."""
    units: float
    """Such as tokens."""
    rate: float
    """Learning rate of the first parameter group."""
    stop: bool
    """Whether a process was asked to stop."""
    logs: dict[str, Tensor]
    """What the task recorded besides: sums over this process's micro-batches."""


@dataclass
class Learner:
    """A model in training: whatever a step reads and changes."""

    task: Task
    config: TrainConfig
    seed: int
    device: Device
    world: World
    model: nn.Module
    averaged: AveragedModel | None
    """The moving average of the weights, where there is one."""
    network: Any
    """The model as it is called in training: wrapped where several processes train it, and perhaps compiled."""
    optimizers: list[Optimizer]
    schedule: Schedule
    states: list[dict[str, Tensor]]
    """Of each of this process's micro-batches: the task's state between steps."""
    noise: torch.Generator
    step: int = 0
    """Optimizer steps taken."""
    part: Callable[[str], AbstractContextManager[Any]] = nullcontext
    """Opened around each part of a step, with its name: one of `PARTS`."""

    @property
    def evaluated(self) -> nn.Module:
        """The model whose metrics count: the moving average where there is one."""
        return self.averaged.module if self.averaged else self.model

    @property
    def micro_batches(self) -> int:
        """Of this process, in a step."""
        return len(self.states)

    def take(self, batches: Iterator[Batch], stop: bool = False) -> Step:
        """One optimizer step; `stop` tells every process that this one was asked to stop.

        Raises:
            Diverged: the loss or the gradient is not finite; the weights are as they were.
        """
        rate = self.schedule(self.step)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = group["initial_lr"] * rate
        totals, logs = self.accumulate(batches, stop)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        summed_norm = self.world.norm(gradients)
        # One transfer to the host for all of them, since each waits for the device.
        loss, units, stops, norm = torch.stack((*self.world.sum(totals), summed_norm)).tolist()
        # The data-parallel wrapper averages over processes what is a sum here.
        scale = self.world.size / units if units else math.nan
        loss, norm = loss * scale / self.world.size, norm * scale
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise Diverged(f"the loss is {loss} and the gradient's norm {norm} at step {self.step + 1}")
        # Dividing by the units and clipping are one pass over the gradients.
        torch._foreach_mul_(gradients, scale * min(1.0, self.config.grad_clip / (norm + 1e-6)))
        with self.part("optimizer"):
            for optimizer in self.optimizers:
                optimizer.step()
        self.model.zero_grad()
        if self.averaged:
            self.averaged.update_parameters(self.model)
        self.step += 1
        return Step(loss, norm, units, self.optimizers[0].param_groups[0]["lr"], stops > 0, logs)

    def accumulate(self, batches: Iterator[Batch], stop: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
        """Forward and backward over the micro-batches: sums of loss, units and wishes to stop, and of logs."""
        totals = torch.zeros(3, device=self.device.torch_device)
        totals[2] = stop
        logs: dict[str, Tensor] = {}
        for local in range(self.micro_batches):
            number = self.step * self.config.micro_batches + local * self.world.size + self.world.rank
            seed_all(derive_seed(self.seed, "step", number))
            self.noise.manual_seed(derive_seed(self.seed, "noise", number))
            with self.part("data"):
                batch = self.device.receive(next(batches))
            with self.world.accumulating(self.network, last=local == self.micro_batches - 1):
                with self.part("forward"):
                    output = self.forward(batch, self.states[local])
                with self.part("backward"):
                    output.loss.backward()
            self.states[local] = output.state
            for name, value in output.logs.items():
                logs[name] = logs.get(name, 0) + value.detach()
            totals[0] += output.loss.detach()
            totals[1] += output.units
        return totals, logs

    def forward(self, batch: Batch, state: dict[str, Tensor]) -> Output:
        """The loss of one micro-batch."""
        with self.device.autocast():
            return self.task.loss(self.network, batch, state, Context(self.step, self.noise))


def build_learner(
    task: Task, config: TrainConfig, seed: int, device: Device, world: World, init: Path | None = None
) -> Learner:
    """A learner before its first step, with random weights or those of the file `init`.

    Raises:
        Problem: the processes cannot share a step equally, or the loss needs a whole batch and gets parts of one.
    """
    if config.micro_batches % world.size:
        raise Problem(
            f"a step has {config.micro_batches} micro-batches, which {world.size} processes cannot share equally: "
            "change --train.batch or --train.micro-batch"
        )
    if not task.per_example_loss and config.micro_batches != world.size:
        raise Problem(
            "this loss needs the whole batch at once: set --train.micro-batch to "
            f"{config.batch // world.size}, the batch of {config.batch} over {world.size} processes"
        )
    place = device.torch_device
    seed_all(derive_seed(seed, "initialisation"))
    model = task.model()
    if init:
        kept = load_fitting(model, init)
        if kept and world.is_main:
            print(f"random, since none in {init} fit: {', '.join(kept)}", file=sys.stderr)
    averaged = world.average(model, config.ema, place, config.ema_warmup) if config.ema else None
    network = world.wrap(model, place)
    found = task.optimizer(model, config)
    optimizers = [found] if isinstance(found, Optimizer) else found
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["initial_lr"] = group["lr"]
    return Learner(
        task=task,
        config=config,
        seed=seed,
        device=device,
        world=world,
        model=model,
        averaged=averaged,
        network=world.compile(network) if compiles(device, config.compile) else network,
        optimizers=optimizers,
        schedule=task.schedule(config),
        states=[task.initial_state(config.micro_batch, place) for _ in range(config.micro_batches // world.size)],
        noise=generator(place, 0),
    )
