"""How long something takes on a device, and how large a model is."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ..core.batch import Batch
from ..task import Context, Task
from .device import Device
from .seeding import generator

WARM_UP = 3
"""Calls before the clock counts: the first ones allocate memory and choose kernels."""
FEWEST, MOST = 5, 200
"""Calls that are needed, however long they are, and that are enough, however short."""


def wait(device: Device) -> None:
    """Let everything that was started on the device finish."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def timings(action: Callable[[], object], device: Device, seconds: float) -> list[float]:
    """Seconds that each call takes, with all that it starts on the device; `FEWEST` to `MOST` calls, for so long."""
    for _ in range(WARM_UP):
        action()
    times: list[float] = []
    while len(times) < FEWEST or (len(times) < MOST and sum(times) < seconds):
        wait(device)
        started = time.perf_counter()
        action()
        wait(device)
        times.append(time.perf_counter() - started)
    return times


def take(task: Task, count: int, device: Device) -> Batch:
    """The first training examples, on the device."""
    examples = task.data("train")
    return device.receive(examples.batch(np.arange(min(count, len(examples))), np.random.default_rng(0)))


def count_parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def latency_ms(task: Task, model: nn.Module, device: Device) -> float:
    """Median time of a forward pass of one example, in milliseconds."""
    return 1000 * statistics.median(forward_times(task, model, take(task, 1, device), device, seconds=0.5))


@torch.no_grad()
def forward_times(task: Task, model: nn.Module, batch: Batch, device: Device, seconds: float) -> list[float]:
    """Seconds of each of many forward passes of one batch, with its loss."""
    state = task.initial_state(len(next(iter(batch.values()))), device.torch_device)
    context = Context(0, generator(device.torch_device, 0))

    def once() -> None:
        with device.autocast():
            task.loss(model, batch, state, context)

    training = model.training
    model.eval()
    times = timings(once, device, seconds)
    model.train(training)
    return times
