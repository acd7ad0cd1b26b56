"""What happens beside a trainer's steps: the record, the progress bar, episodes, and the mark on a whole checkpoint."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from . import saved
from .tracking import Tracker

Play = Callable[[], dict[str, float]]
"""Plays validation tasks with the model as it is, and returns what came of it."""
DROPPED = {"epoch", "num_tokens", "total_flos", "train_loss"}
"""Values that say nothing that the step does not say, or that start at zero again when a run is gone on with."""
CLOCK = ("runtime", "per_second")
"""How the names of values end that depend on the clock."""


class Record(TrainerCallback):
    """Writes what the trainer and the episodes measured, one record a step."""

    def __init__(self, tracker: Tracker, play: Play | None) -> None:
        self.tracker, self.play = tracker, play
        self.step, self.values = 0, dict[str, float]()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **others: Any
    ) -> None:
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
        """Put the record on the disk, then mark the checkpoint that counts on it as whole."""
        self.write()
        self.tracker.flush()
        saved.mark(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")


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
    return f"validation/{short}" if short != name else f"train/{name}"


def kept(name: str, value: object) -> bool:
    """Whether a value goes into the record."""
    return name.removeprefix("eval_") not in DROPPED and isinstance(value, int | float)


def describe(values: dict[str, float]) -> str:
    """Values in a line."""
    return ", ".join(f"{name.removeprefix('validation/')} {value:.3f}" for name, value in values.items())
