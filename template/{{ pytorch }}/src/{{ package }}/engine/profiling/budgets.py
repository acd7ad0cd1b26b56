"""The budgets of the preset `full`: parameters, memory of a training step, latency."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from ..task import Config
from ..training.device import Device
from ..training.sanity import Finding
from ..training.timing import count_parameters, latency_ms
from .memory import step_bytes
from .step_timing import build_probe


class Budgets(NamedTuple):
    """What the preset `full` may cost."""

    parameters: float
    vram_gb: float
    """Of a training step, in 10⁹ bytes."""
    latency_ms: float
    """Of a forward pass of one example on a GPU."""


def check(config: Config, budgets: Budgets, device: Device) -> Iterator[Finding]:
    """The preset `full` against its budgets; without a GPU, memory is estimated and latency is left out."""
    yield size(parameters(config), budgets)
    if device.type == "cuda":
        yield from measured(config, budgets, device)
    else:
        yield memory(step_bytes(config, bf16=config.train.precision != "fp32"), "estimated for", budgets)


def parameters(config: Config) -> int:
    """How many numbers a preset trains, without making them."""
    with torch.device("meta"):
        return count_parameters(config.task().model())


def size(count: int, budgets: Budgets) -> Finding:
    """The number of trainable parameters, within 5 % of its budget."""
    off = count / budgets.parameters - 1
    what = f"full has {count:,}, {abs(off):.1%} {'above' if off > 0 else 'below'} {budgets.parameters:,.0f}"
    fix = "change the model's sizes in full() of presets.py, or budgets.py"
    return kept("parameter budget", abs(off) <= 0.05, what, fix)


def memory(found: int, how: str, budgets: Budgets) -> Finding:
    """Bytes of a training step, beside their budget."""
    what = f"{found / 1e9:.2f} GB {how} a training step, {budgets.vram_gb} GB allowed"
    fix = "lower micro_batch or turn on activation_checkpointing in full() of presets.py"
    return kept("memory budget", found <= 1e9 * budgets.vram_gb, what, fix)


def kept(name: str, fits: bool, what: str, fix: str) -> Finding:
    """Whether a budget is kept, and what to change where it is not."""
    return Finding(name, fits, what if fits else f"{what}: {fix}")


def measured(config: Config, budgets: Budgets, device: Device) -> Iterator[Finding]:
    """Peak memory of a training step with one micro-batch, and latency of one example."""
    train = replace(config.train, batch=config.train.micro_batch, num_workers=0)
    with closing(build_probe(config.task(), train, config.seed, device)) as probe:
        learner = probe.learner
        torch.cuda.reset_peak_memory_stats()
        for _ in range(2):  # the optimizer's state comes with the first step
            probe.take(learner.model)
        yield memory(torch.cuda.max_memory_allocated(), "for", budgets)
        milliseconds = latency_ms(learner.task, learner.model, device)
    what = f"{milliseconds:.1f} ms for one example, {budgets.latency_ms} ms allowed"
    fix = "change the model's sizes in full() of presets.py"
    yield kept("latency budget", milliseconds <= budgets.latency_ms, what, fix)


def section(config: Config, budgets: Budgets) -> dict[str, dict[str, Any]]:
    """The budgets as results.json has them; only the size is known without training `full` on a GPU."""
    measured = {"parameters": parameters(config)}
    return {name: {"allowed": value, "measured": measured.get(name)} for name, value in budgets._asdict().items()}
