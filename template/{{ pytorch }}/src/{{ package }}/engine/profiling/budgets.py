"""The budgets of the preset `full`: parameters, memory of a training step, latency."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from ..task import Config
from ..training.device import Device
from ..training.sanity import Finding, Subject
from ..training.timing import count_parameters, latency_ms, take
from .memory import step_bytes


class Budgets(NamedTuple):
    """What the preset `full` may cost."""

    parameters: float
    vram_gb: float
    """Of a training step, in 10⁹ bytes."""
    latency_ms: float
    """Of a forward pass of one example on a GPU."""


def check(config: Config, budgets: Budgets, device: Device) -> Iterator[Finding]:
    """The preset `full` against its budgets; without a GPU, memory is estimated and latency is left out."""
    with torch.device("meta"):
        model = config.task().model()
    yield parameters(model, budgets)
    if device.type == "cuda":
        yield from measured(config, budgets, device)
    else:
        yield estimated_memory(config, budgets)


def parameters(model: nn.Module, budgets: Budgets) -> Finding:
    """The number of trainable parameters, within 5 % of its budget."""
    count, budget = count_parameters(model), budgets.parameters
    off = count / budget - 1
    what = f"full has {count:,}, {abs(off):.1%} {'above' if off > 0 else 'below'} {budget:,.0f}"
    if abs(off) <= 0.05:
        return Finding("parameter budget", True, what)
    return Finding(
        "parameter budget", False, f"{what}: change the model's sizes in full() of presets.py, or budgets.py"
    )


def estimated_memory(config: Config, budgets: Budgets) -> Finding:
    """Memory of one training micro-batch on a GPU, from shapes alone."""
    return memory_budget(step_bytes(config, bf16=config.train.precision != "fp32"), "estimated for", budgets)


def memory_budget(found: int, how: str, budgets: Budgets) -> Finding:
    """Bytes of a training step, beside their budget."""
    what = f"{found / 1e9:.2f} GB {how} a training step, {budgets.vram_gb} GB allowed"
    fix = ": lower micro_batch or turn on activation_checkpointing in full() of presets.py"
    fits = found <= 1e9 * budgets.vram_gb
    return Finding("memory budget", fits, what if fits else what + fix)


def measured(config: Config, budgets: Budgets, device: Device) -> Iterator[Finding]:
    """Peak memory of one training micro-batch with its optimizer step, and latency of one example."""
    task = config.task()
    model = task.model().to(device.torch_device)
    found = task.optimizer(model, config.train)
    optimizers = found if isinstance(found, list) else [found]
    subject = Subject(task, model, take(task, config.train.micro_batch, device), config.seed)
    torch.cuda.reset_peak_memory_stats()
    for _ in range(2):
        with device.autocast():
            subject.loss(model, subject.batch).backward()
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
    yield memory_budget(torch.cuda.max_memory_allocated(), "for", budgets)
    milliseconds = latency_ms(task, model, device)
    what = f"{milliseconds:.1f} ms for one example, {budgets.latency_ms} ms allowed"
    fits = milliseconds <= budgets.latency_ms
    yield Finding("latency budget", fits, what if fits else what + ": change the model's sizes in full() of presets.py")


def section(config: Config, budgets: Budgets) -> dict[str, dict[str, Any]]:
    """The budgets as results.json has them; only the size is known without training `full` on a GPU."""
    with torch.device("meta"):
        parameters = count_parameters(config.task().model())
    return {
        "parameters": {"allowed": budgets.parameters, "measured": parameters},
        "vram_gb": {"allowed": budgets.vram_gb, "measured": None},
        "latency_ms": {"allowed": budgets.latency_ms, "measured": None},
    }
