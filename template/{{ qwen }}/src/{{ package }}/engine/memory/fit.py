"""Whether a training fits on a GPU, and what would make it fit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PretrainedConfig

from ..agent.rollout import AT_ONCE
from ..config import ModelConfig, TrainConfig
from ..models.architectures import architecture
from .estimate import GIB, OVERHEAD, Footprint, estimate

CAPACITY = {"T4": 14.75, "L4": 22.0, "A100-40": 39.4, "H100": 79.1, "A100-80": 79.2}
"""GiB that PyTorch finds on a GPU, the smallest first: somewhat less than it is sold with."""
LIGHTER = {"full": ("lora", "qlora"), "lora": ("qlora",), "qlora": ()}
"""The adapters that need less memory than another."""
SHORTEST = 1024
"""Tokens below which no shorter length is suggested: hardly a trajectory is."""
REMEDIES = 2


class Setup(NamedTuple):
    """What is trained how and where."""

    model: ModelConfig
    train: TrainConfig
    gpu: str

    @property
    def capacity(self) -> float:
        """Bytes of the GPU."""
        return CAPACITY[self.gpu] * GIB


class Remedy(NamedTuple):
    """One change or two that make a training fit."""

    words: frozenset[str]
    setup: Setup
    needed: float
    """Bytes."""


class Fitting:
    """Estimates of one base model, each made once."""

    def __init__(self, base: PretrainedConfig) -> None:
        self.base = base
        self.known: dict[tuple[ModelConfig, TrainConfig], Footprint] = {}

    def footprint(self, setup: Setup) -> Footprint:
        """What a setup takes."""
        key = setup.model, setup.train
        if key not in self.known:
            self.known[key] = estimate(self.base, *key)
        return self.known[key]

    def fits(self, setup: Setup) -> bool:
        """Whether the GPU holds it."""
        return self.footprint(setup).needed <= setup.capacity

    def remedies(self, setup: Setup) -> list[Remedy]:
        """At most two ways to make a training fit: single changes before pairs of them, another GPU last."""
        found: list[Remedy] = []
        for words, changed in alone_and_paired(setup):
            helped = any(remedy.words <= words for remedy in found)
            if not helped and self.fits(changed):
                found.append(Remedy(words, changed, self.footprint(changed).needed))
            if len(found) == REMEDIES:
                break
        return found


def alone_and_paired(setup: Setup) -> Iterator[tuple[frozenset[str], Setup]]:
    """Every single change, then every two of them."""
    single = list(changes(setup))
    for words, changed in single:
        yield frozenset([words]), changed
    for words, changed in single:
        for more, both in changes(changed):
            yield frozenset([words, more]), both


def changes(setup: Setup) -> Iterator[tuple[str, Setup]]:
    """What can be changed to save memory, the cheapest first, as it is typed."""
    model, train, gpu = setup
    if not train.activation_checkpointing:
        yield "--train.activation-checkpointing", Setup(model, replace(train, activation_checkpointing=True), gpu)
    if train.micro_batch > 1:
        yield "--train.micro-batch 1", Setup(model, replace(train, micro_batch=1), gpu)
    for adapter in LIGHTER[model.adapter]:
        yield f"--model.adapter {adapter}", Setup(replace(model, adapter=adapter), train, gpu)  # type: ignore[arg-type]
    if (half := train.length // 2) >= SHORTEST:
        yield f"--train.length {half}", Setup(model, replace(train, length=half), gpu)
    for larger, size in CAPACITY.items():
        if size > CAPACITY[gpu]:
            yield f"a GPU with {size} GiB ({larger})", Setup(model, train, larger)


def lines(fitting: Fitting, setup: Setup) -> list[str]:
    """The estimate part by part, and what follows from it, for a terminal."""
    takes = fitting.footprint(setup)
    parts = {
        "base weights": takes.weights,
        "adapters": takes.adapters,
        "gradients": takes.gradients,
        "AdamW's moments": takes.optimizer,
        "activations": takes.activations,
        "attention's mask": takes.mask,
        "dequantised matrix": takes.dequantisation,
        "CUDA and gaps": OVERHEAD * GIB,
        "training": takes.training,
    }
    model, train, gpu = setup
    shape = f"{train.micro_batch} x {train.length:,} tokens"
    return [
        f"estimated GPU memory of {model.base}, {model.adapter}, {shape}, on {gpu} with {CAPACITY[gpu]} GiB",
        *(f"  {name:20}{size / GIB:7.2f} GiB" for name, size in parts.items() if size),
        f"  {played(takes, setup)}",
        verdict(fitting, setup),
    ]


def played(takes: Footprint, setup: Setup) -> str:
    """How many episodes can be played at once."""
    return (
        f"an episode of {setup.train.length:,} tokens takes {takes.playing / GIB:.2f} GiB, {takes.cache / GIB:.2f} of "
        f"them for keys and values: {takes.at_once(setup.capacity)} can be played at once"
    )


def verdict(fitting: Fitting, setup: Setup) -> str:
    """Whether it fits, and if not, what to change."""
    spare = (setup.capacity - fitting.footprint(setup).needed) / GIB
    if spare >= 0:
        return f"fits: {spare:.1f} GiB are left"
    ways = [f"{' and '.join(sorted(way.words))} ({way.needed / GIB:.1f} GiB)" for way in fitting.remedies(setup)]
    advice = f"it would fit with {', or with '.join(ways)}" if ways else "no two changes help: take a smaller base"
    return f"does not fit: {-spare:.1f} GiB are missing; {advice}"


def at_once(base: Path, model: ModelConfig, train: TrainConfig) -> int:
    """How many episodes this machine can play at once: as many as its GPU holds beside the model and its optimizer."""
    if not torch.cuda.is_available():
        return AT_ONCE
    takes = estimate(architecture(base), model, train)
    return max(1, min(AT_ONCE, takes.at_once(float(torch.cuda.get_device_properties(0).total_memory))))
