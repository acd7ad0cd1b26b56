"""Where the time of a training step goes, operator by operator, and where its memory."""

import os
import re
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.autograd.profiler_util import FunctionEventAvg
from torch.profiler import ProfilerActivity, profile, record_function

from ..training.timing import wait
from .step_timing import Probe

STEPS = 3
OUTSIDE = "outside of operators"
"""Python, and preparing data in this process."""
ARITHMETIC = re.compile(r"mm|conv|attention|linear|matmul|rnn|lstm|gru")
"""Operators that compute much for each byte that they move."""


@dataclass(frozen=True)
class Operator:
    """One kind of operator, in a training step."""

    name: str
    share: float
    """Of the step's time; on a GPU of its kernels' time."""
    ms: float
    calls: float


def record(probe: Probe, network: Any) -> profile:
    """Record a few training steps of a network that is warm, with the phases data, forward, backward and optimizer."""
    # Otherwise its library announces on stderr when it starts and stops.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (probe.learner.device.type == "cuda")
    probe.learner.part = record_function
    try:
        with profile(activities=activities) as profiler:
            for _ in range(STEPS):
                with record_function("step"):
                    probe.take(network)
            wait(probe.learner.device)
    finally:
        probe.learner.part = nullcontext
    return profiler


def operators(events: Iterable[FunctionEventAvg], cuda: bool) -> list[Operator]:
    """Every kind of operator, the longest first: by its own time, without that of the operators that it calls."""
    times: dict[str, tuple[float, float]] = {}
    for event in events:
        if event.device_type.name == "CPU":
            name = OUTSIDE if event.is_user_annotation else str(event.key)
            own = event.self_device_time_total if cuda else event.self_cpu_time_total
            time, calls = times.get(name, (0.0, 0.0))
            times[name] = time + own, calls + event.count
    total = sum(time for time, _ in times.values()) or 1.0
    found = [Operator(name, time / total, time / 1000 / STEPS, calls / STEPS) for name, (time, calls) in times.items()]
    return sorted(found, key=lambda operator: -operator.share)


def arithmetic_share(found: Iterable[Operator]) -> float:
    """The share of the operators' time that matrix products, convolutions and attention take."""
    inside = [operator for operator in found if operator.name != OUTSIDE]
    total = sum(operator.ms for operator in inside) or 1.0
    return sum(operator.ms for operator in inside if ARITHMETIC.search(operator.name)) / total


def kernel_ms(events: Iterable[FunctionEventAvg]) -> float:
    """Time in which a GPU computed, per training step."""
    kernels = [event for event in events if event.device_type.name == "CUDA" and not event.is_user_annotation]
    return sum(event.self_device_time_total for event in kernels) / 1000 / STEPS


def synchronisations(events: Iterable[FunctionEventAvg]) -> float:
    """How often the host waits for the GPU, per training step."""
    return sum(event.count for event in events if "StreamSynchronize" in str(event.key)) / STEPS


def memory_snapshot(probe: Probe, network: Any, file: Path) -> None:
    """Write who allocates and frees GPU memory in a training step, for pytorch.org/memory_viz."""
    torch.cuda.memory._record_memory_history(stacks="python", max_entries=1_000_000)
    try:
        probe.take(network)
        torch.cuda.memory._dump_snapshot(str(file))
    finally:
        torch.cuda.memory._record_memory_history(enabled=None)
