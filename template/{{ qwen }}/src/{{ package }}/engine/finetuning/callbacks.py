"""What happens beside a trainer's steps: the record, the bars, episodes, the mark on a whole checkpoint, and stops."""

import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..agent.progress import Lines, drawn
from ..core.errors import Diverged
from ..core.signals import Signals
from ..core.tracking import Tracker
from . import checkpoints

Play = Callable[[], dict[str, float]]
"""Plays validation tasks with the model as it is, and returns what came of it."""
SUMMARY = "train_runtime"
"""A value of the log at the end, which tells of the steps since a run was last resumed."""
DROPPED = {"epoch", "num_tokens"}
"""Values that say nothing that the step does not say, or that start at zero again when a run is resumed."""
CLOCK = ("runtime", "per_second")
"""How the names of values end that depend on the clock."""
SKIPS = 30
"""So many steps left out one after another are an error: fp16's scale, 65536 at first, was halved in each."""


class Stop(TrainerCallback):
    """Ends a training after the step in which a signal asked for it, with a checkpoint."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        if self.signals.received:
            control.should_save = control.should_training_stop = True


class Finite(TrainerCallback):
    """Ends a training whose loss or gradient is not a finite number, before it is recorded, evaluated or saved.

    transformers continues with such weights. In fp16, a gradient that is too large is no error: the gradient scaler
    leaves the step out and lowers its scale.
    """

    def __init__(self) -> None:
        self.skipped = 0

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **others: Any
    ) -> None:
        wrong = {name for name in ("loss", "eval_loss", "grad_norm") if not math.isfinite(logs.get(name, 0.0))}
        self.skipped = self.skipped + 1 if args.fp16 and wrong == {"grad_norm"} else 0
        if wrong and not 0 < self.skipped < SKIPS:
            values = ", ".join(f"{WORDS[name]} is {logs[name]}" for name in sorted(wrong))
            raise diverged(values, state.global_step, Path(str(args.output_dir)))


WORDS = {"loss": "the loss", "eval_loss": "the validation loss", "grad_norm": "the gradient's norm"}


def diverged(values: str, step: int, folder: Path) -> Diverged:
    """What to do about it."""
    names = [path.name for path in checkpoints.all_in(folder)]
    kept = f"{names[-1]} is kept" if names else "there was no checkpoint yet"
    return Diverged(
        f"{values} at step {step}; nothing of that step was saved, and {kept}. In a new run, lower "
        "--train.learning-rate or raise --train.warmup-ratio; if it stays, look for infinite weights in the base, or "
        "compute in bf16 or fp32 where it was fp16"
    )


class Schedule(TrainerCallback):
    """Begins with the learning rate that the schedule has: of a run that is trained longer, it is not the one saved."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        schedule = others["lr_scheduler"]
        if isinstance(schedule, LambdaLR):
            for group, peak, share in zip(
                schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
            ):
                group["lr"] = peak * share(schedule.last_epoch)
            schedule._last_lr = [group["lr"] for group in schedule.optimizer.param_groups]  # which the record shows


class Record(TrainerCallback):
    """Writes what the trainer and the episodes measured, one record a step."""

    def __init__(self, tracker: Tracker, play: Play | None, keep_every: int = 0) -> None:
        self.tracker, self.play, self.keep_every = tracker, play, keep_every
        self.step, self.values = 0, dict[str, float]()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **others: Any
    ) -> None:
        if SUMMARY not in logs:
            self.add(state.global_step, {named(name): value for name, value in logs.items() if kept(name, value)})

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        if self.play is not None:
            with undisturbed():
                self.add(state.global_step, {f"validation/{name}": value for name, value in self.play().items()})
        shown = {name: value for name, value in self.values.items() if name.startswith("validation/")}
        print(f"step {state.global_step}: " + describe(shown), file=sys.stderr)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Gather the values of a step until the next begins."""
        if step != self.step:
            self.write()
        self.step = step
        self.values |= values

    def write(self) -> None:
        """Put down what was gathered."""
        if self.values:
            self.tracker.log(self.step, self.values)
        self.values = {}

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Put the record on the disk, then mark the checkpoint that counts on it as whole, and forget older ones."""
        self.write()
        self.tracker.flush()
        folder = Path(str(args.output_dir))
        checkpoints.mark(folder / f"checkpoint-{state.global_step}")
        checkpoints.rotate(folder, self.keep_every)


class Progress(ProgressCallback):
    """The trainer's bars, with the loss beside them instead of a line for each step."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        if self.training_bar is not None and logs and "loss" in logs:
            self.training_bar.set_postfix(loss=f"{logs['loss']:.3f}")


class Plain(TrainerCallback):
    """The same as lines, where there is no terminal."""

    def __init__(self) -> None:
        self.lines, self.first, self.started = Lines(), 0, 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        self.first, self.started = state.global_step, time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **others: Any
    ) -> None:
        taken = state.global_step - self.first
        if "loss" in logs and taken:
            left = (state.max_steps - state.global_step) * (time.monotonic() - self.started) / taken
            self.lines.say(f"step {state.global_step} of {state.max_steps}: loss {logs['loss']:.3f}, {left:.0f} s left")


def progress() -> TrainerCallback:
    """Bars or lines, whichever can be seen."""
    return Progress() if drawn() else Plain()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leave every generator of random numbers as it is, so that playing changes nothing in a training."""
    standard, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        yield
    random.setstate(standard)
    np.random.set_state(numpy)


def named(name: str) -> str:
    """What a value of transformers' log is called in the record."""
    short = name.removeprefix("eval_")
    if short.endswith(CLOCK):
        return f"timing/{name}"
    return f"validation/{short}" if short != name else name


def kept(name: str, value: object) -> bool:
    """Whether a value goes into the record: the gradient's norm does not in a step that fp16 left out."""
    number = isinstance(value, int | float) and math.isfinite(value)
    return number and name.removeprefix("eval_") not in DROPPED


def describe(values: dict[str, float]) -> str:
    """Values in a line."""
    return ", ".join(f"{name.removeprefix('validation/')} {value:.3f}" for name, value in values.items())
