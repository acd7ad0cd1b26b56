"""The recursive model: text from a stream against text from the beginning, utilisation in training, and compilation."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from statistics import median
from typing import Any, NamedTuple

import loops
import torch

PACKAGE = "trm_titans_mag_demo"
TURNS = 5


class Pace(NamedTuple):
    """Tokens a second, one at a time, after so many."""

    streamed: float
    """From the window's keys and values and the memories that were kept."""
    recomputed: float
    """From the whole text again."""


def seconds(function: Callable[[], object]) -> float:
    """Of a call, the median of a few."""
    times = []
    for _ in range(TURNS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return median(times)


@torch.no_grad()
def pace(length: int) -> Pace:
    """Of the preset `language`, whose positions are extended where the text is longer."""
    config = import_module(f"{PACKAGE}.presets").PRESETS["language"]().model
    torch.manual_seed(0)
    model = import_module(f"{PACKAGE}.model").FullModel(replace(config, length=length + TURNS)).eval()
    text, states = torch.randint(0, config.vocab_size, (1, length)), model.streams()
    model(text[:, :-1], states=states)
    streamed = seconds(lambda: model(text[:, -1:], states=states))
    return Pace(1 / streamed, 1 / seconds(lambda: model(text)))


class Utilisation(NamedTuple):
    """How near a training step comes to what the machine can do."""

    arithmetic: Any
    """The project's `Arithmetic`, counted with the formula of the recursion."""
    precision: str
    """The preset's, in which the peak is measured too."""


def utilisation(preset: str) -> Utilisation:
    """Of a training step in eager mode."""
    subject = loops.Subject.of(PACKAGE, preset, 1)
    speed = subject.module("profiling.step_timing")
    with closing(speed.build_probe(subject.task, subject.config.train, 0, subject.device)) as probe:
        forward = speed.forward(probe, subject.config.train.micro_batch)
        arithmetic = speed.arithmetic(probe, forward, speed.training(probe, probe.learner.model))
    return Utilisation(arithmetic, subject.device.precision)


class Compilation(NamedTuple):
    """A training step in eager mode and compiled as one graph."""

    eager_ms: float
    compiled_ms: float
    seconds: float
    """What the first compiled step took longer."""


def compilation(preset: str) -> Compilation:
    """Of a training step in float32. A break in the graph is an error.

    Raises:
        RuntimeError: the model does not compile as one graph.
    """
    subject = loops.Subject.of(PACKAGE, preset, 1)
    speed, device = subject.module("profiling.step_timing"), type(subject.device)(subject.device.type, bf16=False)
    with closing(speed.build_probe(subject.task, subject.config.train, 0, device)) as probe:
        eager = speed.training(probe, probe.learner.model).p50_ms
        found = speed.compiled(probe, torch.compile(probe.learner.model, fullgraph=True))
    if isinstance(found, str):
        raise RuntimeError(found)
    return Compilation(eager, found.timing.p50_ms, found.seconds)
