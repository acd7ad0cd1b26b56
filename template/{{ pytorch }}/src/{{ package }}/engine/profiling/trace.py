"""Where the time of a training step goes, operator by operator, and where its memory."""

import os
import re
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.autograd.profiler_util import EventList, FunctionEventAvg
from torch.profiler import ProfilerActivity, profile, record_function

from ..training.timing import wait
from .step_timing import Probe

STEPS = 3
ARITHMETIC = re.compile(r"mm|conv|attention|linear|matmul|rnn|lstm|gru")
"""Operators that compute much for each byte that they move."""


def record(probe: Probe, network: Any, file: Path) -> EventList:
    """Record a few training steps of a network that is warm, with the phases data, forward, backward and optimizer.

    The trace goes into the file; the sums over each kind of event are returned.
    """
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
    profiler.export_chrome_trace(str(file))
    return profiler.key_averages()


def table(events: EventList, cuda: bool) -> str:
    """All operators, those first that take most time without that of the operators that they call."""
    return events.table(f"self_{'cuda' if cuda else 'cpu'}_time_total", row_limit=-1, max_name_column_width=60)


def arithmetic_share(events: Iterable[FunctionEventAvg], cuda: bool) -> float:
    """The share of the operators' time that matrix products, convolutions and attention take."""
    inside = [event for event in events if event.device_type.name == "CPU" and not event.is_user_annotation]
    times = {str(event.key): event.self_device_time_total if cuda else event.self_cpu_time_total for event in inside}
    return sum(time for name, time in times.items() if ARITHMETIC.search(name)) / (sum(times.values()) or 1.0)


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
