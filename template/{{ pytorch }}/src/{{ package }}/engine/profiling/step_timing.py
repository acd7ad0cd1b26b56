"""How fast a preset computes on this machine, how much memory it takes, and how near it comes to the device's limit.

The weights are fresh, since speed does not depend on them. Training is measured in its own step.
"""

import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
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

ENDLESS = 10**9
"""Steps, more than any measurement takes."""
SECONDS = 4.0
"""For how long each thing is measured."""
SIZES = (1024, 2048, 4096, 8192)
"""Of the square matrices whose product is the device's limit."""
PATIENCE = 0.06
"""Seconds that a product may take if the next size, eight times as long, is to be tried."""


@dataclass(frozen=True)
class Timing:
    """How long something takes."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    n: int
    """How often it was measured; from fewer than 100, the 99th percentile is little more than the slowest."""
    units_per_second: float
    """Tokens or examples, over the whole time of the measurement."""

    @classmethod
    def of(cls, times: list[float], units: float) -> "Timing":
        """From the seconds of each call and the units that all of them together worked through."""
        p50, p95, p99 = (float(value) for value in 1000 * np.percentile(times, [50, 95, 99]))
        return cls(p50, p95, p99, len(times), units / sum(times))


@dataclass(frozen=True)
class Training:
    """What a training step takes."""

    timing: Timing
    data_share: float
    """Share of its time in which it waits for data."""
    memory_gb: float | None
    """Peak, as `MEMORY` says; None where there is no such figure."""


@dataclass(frozen=True)
class Arithmetic:
    """How much is computed, and how near that comes to the device's limit."""

    forward_flops: float
    """Floating-point operations of a forward pass, per unit."""
    source: str
    """Who says so."""
    matmul_peak: float
    """Floating-point operations a second that the device reaches."""
    forward_utilisation: float
    """Of that peak."""
    training_utilisation: float
    """Of that peak, too."""
    training_factor: float
    """What a training step computes, as a multiple of the forward pass: 3 where all of it has a gradient. What is
    computed again does not count (PaLM, arXiv:2204.02311, appendix B)."""


@dataclass(frozen=True)
class Compiled:
    """A training step with the model compiled."""

    training: Training
    seconds: float
    """What the first step took longer than the others."""
    graph_breaks: int
    """Places where the compiler gave up and went back to Python."""


class Probe:
    """Takes the same step of a training again and again, keeps the time, and writes nothing."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.waits: list[float] = []
        """Seconds that each micro-batch was waited for."""
        self.source = self.batches()

    def batches(self) -> Generator[Batch, None, None]:
        """The training's micro-batches, with the time that each is waited for."""
        learner = self.learner
        config, examples = learner.config, learner.task.data("train")
        numbered = TrainingBatches(examples, learner.seed, config.batch, config.micro_batch)
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
        """One training step of `network`; the units that it learnt from."""
        self.learner.step, self.learner.network = 0, network
        return self.learner.take(self.source).units


def build_probe(task: Task, config: TrainConfig, seed: int, device: Device) -> Probe:
    """A probe of a fresh model, which is not compiled."""
    return Probe(build_learner(task, replace(config, compile="off"), seed, device, World()))


def forward(probe: Probe, examples: int) -> Timing:
    """A forward pass of a batch of that many examples, with its loss."""
    learner = probe.learner
    batch = take(learner.task, examples, learner.device)
    times = forward_times(learner.task, learner.model, batch, learner.device, seconds=SECONDS)
    return Timing.of(times, len(times) * units(learner, batch))


@torch.no_grad()
def units(learner: Learner, batch: Batch) -> float:
    """How many units a batch holds."""
    state = learner.task.initial_state(len(next(iter(batch.values()))), learner.device.torch_device)
    return float(learner.task.loss(learner.model, batch, state, Context(0, learner.noise)).units)


def training(probe: Probe, network: Any) -> Training:
    """A training step of `network`, the probe's model as it is or compiled."""
    counted: list[float] = []
    learner = probe.learner
    if learner.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = timings(lambda: counted.append(probe.take(network)), learner.device, seconds=SECONDS)
    waited = sum(probe.waits[-len(times) * learner.micro_batches :])
    timing = Timing.of(times, sum(counted[-len(times) :]))
    return Training(timing, waited / sum(times), peak_memory_gb(learner.device))


MEMORY = {
    "cuda": "allocated on the GPU by a training step",
    "cpu": "resident, of the whole process since it started",
    "mps": "on an Apple GPU",
}
"""What the peak is the peak of."""


def peak_memory_gb(device: Device) -> float | None:
    """The peak so far in GB, of what `MEMORY` says; None on MPS and Windows, which keep no record of it."""
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
        seconds = median(timings(partial(torch.mm, a, b, out=product), device, seconds=SECONDS / 8))
        best = max(best, 2 * size**3 / seconds)
        if seconds > PATIENCE:
            break
    return best


def arithmetic(probe: Probe, forward: Timing, training: Timing) -> Arithmetic:
    """What is computed in these forward passes and training steps, beside the device's peak."""
    task = probe.learner.task
    stated, peak = task.flops(), matmul_peak(probe.learner.device)
    flops = counted_flops(probe) if stated is None else stated
    source = "counted by PyTorch" if stated is None else "the task's formula"
    share, factor = flops / peak, 1 + 2 * (task.backward_fraction() if isinstance(task, CutsGradient) else 1.0)
    reached = (share * forward.units_per_second, factor * share * training.units_per_second)
    return Arithmetic(flops, source, peak, *reached, factor)


@torch.no_grad()
def counted_flops(probe: Probe) -> float:
    """What PyTorch counts in the forward pass of one example: matrix products, convolutions and attention."""
    learner = probe.learner
    batch = take(learner.task, 1, learner.device)
    state = learner.task.initial_state(1, learner.device.torch_device)
    with FlopCounterMode(display=False) as counter:
        output = learner.task.loss(learner.model, batch, state, Context(0, learner.noise))
    return counter.get_total_flops() / float(output.units)


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
    measured = training(probe, network)
    return Compiled(measured, first - measured.timing.p50_ms / 1000, counters["graph_break"].total() - before)
