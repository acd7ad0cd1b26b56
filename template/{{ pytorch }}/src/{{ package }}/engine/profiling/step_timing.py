"""How fast a preset computes on this machine, how much memory it takes, and how near it comes to the device's limit.

The weights are fresh, since speed does not depend on them. Training is measured in its own step.
"""

import sys
import time
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ..core.batch import Batch
from ..task import Context, CutsGradient, Task
from ..training.config import TrainConfig
from ..training.dataloader import TrainingBatches
from ..training.device import Device
from ..training.parallel import World
from ..training.step import Learner, build_learner
from ..training.timing import forward_times, take, timings
from .figures import Arithmetic, Compiled, Timing

ENDLESS = 10**9
"""Steps, more than any measurement takes."""
SECONDS = 4.0
"""For how long each thing is measured."""
SIZES = (1024, 2048, 4096, 8192)
"""Of the square matrices whose product is the device's limit."""
PATIENCE = 0.06
"""Seconds that a product may take if the next size, eight times as long, is to be tried."""


class Probe:
    """Takes the same step of a training again and again, keeps the time, and writes nothing."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.waits: list[float] = []
        """Seconds that each micro-batch was waited for."""
        self.source = self.batches()

    def batches(self) -> Generator[Batch, None, None]:
        """The training's micro-batches, with the time that each is waited for."""
        learner, config = self.learner, self.learner.config
        numbered = TrainingBatches(learner.task.data("train"), learner.seed, config.batch, config.micro_batch)
        source = numbered.loader(range(ENDLESS), 0, 1, config.num_workers, learner.device.type == "cuda")
        while True:
            started = time.perf_counter()
            batch = next(source)
            self.waits.append(time.perf_counter() - started)
            yield batch

    def close(self) -> None:
        """End the processes that prepare the data, which the end of this one would wait for."""
        self.source.close()

    def take(self, network: Any) -> float:
        """One training step of `network`, the model as it is or compiled; the units that it learnt from."""
        self.learner.step, self.learner.network = 0, network
        return self.learner.take(self.source).units


def build_probe(task: Task, config: TrainConfig, seed: int, device: Device) -> Probe:
    """A probe of a fresh model, which is not compiled."""
    return Probe(build_learner(task, replace(config, compile="off"), seed, device, World()))


def summarised(times: list[float], units: float, waited: float = 0.0) -> Timing:
    """The seconds of each call, with the units that all of them worked through and the seconds that they waited."""
    p50, p95, p99 = (float(value) for value in 1000 * np.percentile(times, [50, 95, 99]))
    return Timing(p50, p95, p99, len(times), units / sum(times), waited / sum(times))


def forward(probe: Probe, examples: int) -> Timing:
    """A forward pass of a batch of that many examples, with its loss."""
    learner = probe.learner
    batch = take(learner.task, examples, learner.device)
    times = forward_times(learner.task, learner.model, batch, learner.device, SECONDS)
    return summarised(times, len(times) * units(learner, batch))


@torch.no_grad()
def units(learner: Learner, batch: Batch) -> float:
    """How many units a batch holds, by a forward pass."""
    state = learner.task.initial_state(len(next(iter(batch.values()))), learner.device.torch_device)
    return float(learner.task.loss(learner.model, batch, state, Context(0, learner.noise)).units)


def training(probe: Probe, network: Any) -> Timing:
    """A training step of `network`."""
    counted: list[float] = []
    device = probe.learner.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = timings(lambda: counted.append(probe.take(network)), device, SECONDS)
    waits = probe.waits[-len(times) * probe.learner.micro_batches :]
    return summarised(times, sum(counted[-len(times) :]), sum(waits))


def compiled(probe: Probe, network: Any) -> Compiled | str:
    """A training step of the compiled `network`, or why it cannot be compiled."""
    from torch._dynamo.exc import TorchDynamoException
    from torch._dynamo.utils import counters

    before = counters["graph_break"].total()
    started = time.perf_counter()
    try:
        probe.take(network)
    except TorchDynamoException as error:
        return f"not compiled: {str(error).splitlines()[0]}"
    first = time.perf_counter() - started
    timing = training(probe, network)
    return Compiled(timing, first - timing.p50_ms / 1000, counters["graph_break"].total() - before)


def peak_memory_gb(device: Device) -> float | None:
    """On CUDA, the peak of what was allocated since training was measured; else of this process's resident memory.

    None on MPS and Windows, which keep no record of it.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    if sys.platform == "win32" or device.type != "cpu":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def matmul_peak(device: Device) -> float:
    """The floating-point operations a second that the device reaches on the best of a few square matrix products.

    In the precision of its training, with the median of each size's times.
    """
    kind, best = torch.bfloat16 if device.bf16 else torch.float32, 0.0
    for size in SIZES:
        a, b, product = torch.randn(3, size, size, device=device.torch_device, dtype=kind)
        seconds = median(timings(partial(torch.mm, a, b, out=product), device, SECONDS / 8))
        best = max(best, 2 * size**3 / seconds)
        if seconds > PATIENCE:
            break
    return best


def arithmetic(probe: Probe, forward: Timing, training: Timing) -> Arithmetic:
    """What is computed in these forward passes and training steps, beside the device's peak."""
    task = probe.learner.task
    stated, peak = task.flops(), matmul_peak(probe.learner.device)
    flops = counted_flops(probe.learner) if stated is None else stated
    factor = 1 + 2 * (task.backward_fraction() if isinstance(task, CutsGradient) else 1.0)
    return Arithmetic(
        forward_flops=flops,
        source="counted by PyTorch" if stated is None else "the task's formula",
        training_factor=factor,
        matmul_peak=peak,
        forward_utilisation=flops * forward.units_per_second / peak,
        training_utilisation=factor * flops * training.units_per_second / peak,
    )


def counted_flops(learner: Learner) -> float:
    """What PyTorch counts in the forward pass of one example: matrix products, convolutions and attention."""
    with FlopCounterMode(display=False) as counter:
        count = units(learner, take(learner.task, 1, learner.device))
    return counter.get_total_flops() / count
