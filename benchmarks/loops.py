"""One training step of the same model on the same batches in four loops: bare, ours, Lightning's and Accelerate's.

Each loop clips the gradient and stops at a loss that is not finite. A step is the time between two steps of the
optimizer, so that everything a loop does between them counts. The loops take turns, and each turn's ratio to the
bare loop is taken within the turn: what else the machine does at the time hits all of them.
"""

import io
import logging
import math
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]
WARM_UP = 10
"""Steps at the beginning of a turn that are not counted."""


@dataclass(frozen=True)
class Subject:
    """A rendered project's task and settings, for so many steps."""

    package: str
    config: Any
    task: Any
    device: Any
    steps: int

    @classmethod
    def of(cls, package: str, preset: str, steps: int) -> "Subject":
        """The task of a rendered project's preset, on the device and in the precision that the project would choose."""
        config = import_module(f"{package}.presets").PRESETS[preset]()
        device = import_module(f"{package}.engine.training.device").choose(config.train.device, config.train.precision)
        return cls(package, config, config.task(), device, steps + WARM_UP)

    def module(self, name: str) -> ModuleType:
        """A module of the project's engine."""
        return import_module(f"{self.package}.engine.{name}")

    def fresh_model(self) -> nn.Module:
        """The same at each call."""
        torch.manual_seed(0)
        model: nn.Module = self.task.model().to(self.device.torch_device)
        return model

    def batches(self) -> Iterator[Batch]:
        """What the project's own loader gives."""
        train = self.config.train
        batches = self.module("training.dataloader").TrainingBatches(
            self.task.data("train"), 0, train.batch, train.batch
        )
        for batch in batches.loader(range(self.steps), 0, 1, 0, False):
            yield {name: value.to(self.device.torch_device) for name, value in batch.items()}

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """Loss per unit, in the task's own precision."""
        context = self.module("task").Context(0, None)
        output = self.task.loss(model, batch, {}, context)
        loss: Tensor = output.loss / output.units
        return loss

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """What the task trains with, which is one optimizer here."""
        (optimizer,) = self.task.optimizer(model, self.config.train)
        assert isinstance(optimizer, torch.optim.Optimizer)
        return optimizer


def noted(optimizer: torch.optim.Optimizer) -> list[float]:
    """The moments at which the optimizer begins a step, from now on."""
    times: list[float] = []
    optimizer.register_step_pre_hook(lambda *_: times.append(time.perf_counter()))
    return times


def bare(subject: Subject, folder: Path) -> list[float]:
    """The loop that one would write by hand."""
    model = subject.fresh_model()
    optimizer = subject.optimizer(model)
    times = noted(optimizer)
    model.train()
    for batch in subject.batches():
        with subject.device.autocast():
            loss = subject.loss(model, batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), subject.config.train.grad_clip)
        if not math.isfinite(loss.item()) or not math.isfinite(norm.item()):
            raise RuntimeError("the loss is not finite")
        optimizer.step()
        optimizer.zero_grad()
    return times


def ours(subject: Subject, folder: Path) -> list[float]:
    """The rendered trainer, with its progress bar, records, schedule and signals."""
    train = replace(subject.config.train, steps=subject.steps, micro_batch=subject.config.train.batch)
    train = replace(train, validate_every=subject.steps, validation_batches=1, save_every=subject.steps)
    world = subject.module("training.parallel").World()
    identity = subject.module("training.checkpoint").Identity("", "")
    (folder / "environment.json").write_text("{}", encoding="utf-8")
    build_trainer = subject.module("training.trainer").build_trainer
    trainer = build_trainer(subject.task, train, 0, folder, identity, subject.device, world)
    times = noted(trainer.learner.optimizers[0])
    # What it tells a person, every few hundred steps, would stand between the lines of the table.
    with redirect_stderr(io.StringIO()):
        trainer.fit({})
    return times[: subject.steps]


def lightning(subject: Subject, folder: Path) -> list[float]:
    """Lightning's Trainer with nothing switched on that it does not need."""
    import lightning as L

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    model = subject.fresh_model()
    optimizer = subject.optimizer(model)
    times = noted(optimizer)

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: Batch, index: int) -> Tensor:
            loss = subject.loss(self.model, batch)
            if not math.isfinite(loss.item()):
                raise RuntimeError("the loss is not finite")
            return loss

        def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
            # Its own refuses a fused optimizer under autocast, where no gradient is scaled either.
            nn.utils.clip_grad_norm_(self.model.parameters(), subject.config.train.grad_clip)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return optimizer

    trainer = L.Trainer(
        accelerator=subject.device.type,
        devices=1,
        precision="bf16-mixed" if subject.device.bf16 else "32-true",
        max_steps=subject.steps,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(Module(), Stream(subject))
    return times


class Stream(torch.utils.data.IterableDataset[Batch]):
    """A subject's batches as an iterable that a trainer may start anew."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def __iter__(self) -> Iterator[Batch]:
        return self.subject.batches()


def accelerate(subject: Subject, folder: Path) -> list[float]:
    """The bare loop with Accelerate around it."""
    from accelerate import Accelerator

    model = subject.fresh_model()
    bare_optimizer = subject.optimizer(model)
    times = noted(bare_optimizer)
    accelerator = Accelerator(cpu=subject.device.type == "cpu", mixed_precision="bf16" if subject.device.bf16 else "no")
    wrapped, optimizer = accelerator.prepare(model, bare_optimizer)
    wrapped.train()
    for batch in subject.batches():
        loss = subject.loss(wrapped, batch)
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(wrapped.parameters(), subject.config.train.grad_clip)
        if not math.isfinite(loss.item()) or not math.isfinite(norm.item()):
            raise RuntimeError("the loss is not finite")
        optimizer.step()
        optimizer.zero_grad()
    return times


LOOPS: dict[str, Callable[[Subject, Path], list[float]]] = {
    "bare": bare,
    "ours": ours,
    "Lightning": lightning,
    "Accelerate": accelerate,
}


def compare(subject: Subject, turns: int) -> dict[str, tuple[float, float]]:
    """For each loop, the median step in seconds and the median over the turns of its difference to the bare loop."""
    steps: dict[str, list[float]] = {name: [] for name in LOOPS}
    for _ in range(turns):
        for name, loop in LOOPS.items():
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                steps[name].append(median_step(loop(subject, Path(folder))))
    return {
        name: (
            statistics.median(times),
            statistics.median(time - bare for time, bare in zip(times, steps["bare"], strict=True)),
        )
        for name, times in steps.items()
    }


def median_step(times: list[float]) -> float:
    """The median time between two steps, without the first few."""
    return statistics.median(
        later - earlier for earlier, later in zip(times[WARM_UP:], times[WARM_UP + 1 :], strict=False)
    )
