"""The loop.

What a run is made of, and where it comes from:

    order of the data and noise    functions of (seed, step, micro-batch): nothing to save
    weights, optimizers, EMA       in the checkpoint
    states                         the task's, between steps, in the checkpoint
    Progress                       step, best score and what the next record needs, in the checkpoint

so that a run that was killed and resumed ends with the same bits as one that never was.
"""

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..core.batch import Batch
from ..core.errors import Diverged, Interrupted
from ..core.signals import Signals
from ..core.tracking import Tracker
from ..task import Task
from .checkpoint import MODEL, Identity, Trained, save_weights, saving
from .checkpoint_storage import Checkpoints
from .config import TrainConfig
from .dataloader import TrainingBatches
from .device import Device
from .parallel import World
from .progress import Display
from .step import Learner, Step, build_learner
from .validation import measure


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    """Optimizer steps taken."""
    best: float | None = None
    """The best validation score."""
    stale: int = 0
    """Validations since then."""
    recent: list[float] = field(default_factory=list)
    """Losses since the last record."""


class Hooks(NamedTuple):
    """What an experiment does at some moments of a training."""

    restored: Callable[["Trainer"], None] = lambda trainer: None
    """Before the first step of this process."""
    validated: Callable[["Trainer", dict[str, float]], None] = lambda trainer, values: None
    """After a validation, with what was recorded; what it raises ends the training."""


NO_HOOKS = Hooks()


@dataclass
class Trainer:
    """Trains the model of a task into a run folder."""

    run: Path
    learner: Learner
    checkpoints: Checkpoints
    hooks: Hooks = NO_HOOKS
    progress: Progress = field(default_factory=Progress)

    def fit(self, tracked: dict[str, Any], from_step: int | None = None) -> None:
        """Train from the last checkpoint to the end, and leave the best weights in the run.

        `tracked` is what the tracker shows as the run's configuration. `from_step` names an earlier checkpoint to go
        back to; those after it are dropped.

        Raises:
            Interrupted: a signal asked to stop; everything is saved.
            Problem: the loss is not finite, the disk is full, or no checkpoint can be used.
        """
        self.restore(from_step)
        learner, progress = self.learner, self.progress
        config, world = learner.config, learner.world
        self.hooks.restored(self)
        if world.is_main and progress.step < config.steps and not self.out_of_patience:
            (self.run / MODEL).unlink(missing_ok=True)  # of a finished run that is trained longer
        tracker = Tracker(self.run, tracked, progress.step) if world.is_main else None
        display = Display(progress.step, config.steps, learner.task.unit, world.is_main)
        batches = self.batches()
        try:
            with Signals() as signals, display:
                while progress.step < config.steps and not self.out_of_patience:
                    step = self.take(batches, bool(signals.received))
                    display.update(progress.step, step.loss, step.units)
                    validates = progress.step % config.validate_every == 0 or progress.step == config.steps
                    values = self.record(step, display) if progress.step % config.log_every == 0 else {}
                    best = validates and self.validate(step, values, display)
                    if values and tracker:
                        tracker.log(progress.step, values)
                    if validates or step.stop or progress.step % config.save_every == 0:
                        self.save(tracker, best)
                    if step.stop:
                        raise Interrupted(signals.received or signal.SIGTERM, progress.step)
                if signals.received:
                    raise Interrupted(signals.received, progress.step)
        finally:
            if tracker:
                tracker.close()
        self.finish()

    def take(self, batches: Iterator[Batch], stop: bool) -> Step:
        """One step.

        Raises:
            Diverged: it is not finite; the message says what to do.
        """
        try:
            step = self.learner.take(batches, stop)
        except Diverged as diverged:
            last = self.checkpoints.last
            kept = f"{last} is kept" if last else "there was no checkpoint yet"
            raise Diverged(
                f"{diverged}; the optimizer step was not taken, and {kept}. In a new run, lower --train.learning-rate "
                "or raise --train.warmup-steps; if it stays, look for infinite values in the data, and for a division "
                "or a logarithm of zero in the loss"
            ) from None
        self.progress.step = self.learner.step
        self.progress.recent.append(step.loss)
        return step

    def batches(self) -> Iterator[Batch]:
        """This process's micro-batches of the steps that are left."""
        learner = self.learner
        config, world = learner.config, learner.world
        examples = learner.task.data("train")
        numbered = TrainingBatches(examples, learner.seed, config.batch, config.micro_batch)
        steps = range(self.progress.step, config.steps)
        return numbered.loader(steps, world.rank, world.size, config.num_workers, learner.device.type == "cuda")

    def record(self, step: Step, display: Display) -> dict[str, float]:
        """The mean loss since the last record, and the state of the optimization."""
        recent, learner = self.progress.recent, self.learner
        values = {
            "loss": sum(recent) / len(recent),
            "gradient_norm": step.norm,
            "learning_rate": step.rate,
            "timing/time": time.time(),
            f"timing/{learner.task.unit}_per_second": display.rate,
        }
        recent.clear()
        return values | {name: float(learner.world.sum(value)) / step.units for name, value in step.logs.items()}

    def validate(self, step: Step, values: dict[str, float], display: Display) -> bool:
        """Add the metrics of the validation split to `values`; whether the first is the best so far."""
        learner, progress = self.learner, self.progress
        found = measure(
            learner.task,
            learner.evaluated,
            "validation",
            learner.config.micro_batch,
            world=learner.world,
            seed=learner.seed,
            limit=learner.config.validation_batches,
            bf16=learner.device.bf16,
        )
        shown = {f"validation/{name}": metric.value for name, metric in found.metrics.items()}
        name = next(iter(found.metrics), "")
        higher = bool(name) and found.metrics[name].higher_is_better
        shown, name, higher = learner.world.broadcast((shown, name, higher))
        values.update(shown)
        value, sign = shown[f"validation/{name}"], 1 if higher else -1
        best = math.isfinite(value) and (progress.best is None or sign * value > sign * progress.best)
        progress.best, progress.stale = (value, 0) if best else (progress.best, progress.stale + 1)
        display.validated(progress.step, step.loss, name, value, best)
        self.hooks.validated(self, values)
        return best

    @property
    def out_of_patience(self) -> bool:
        return 0 < self.learner.config.patience <= self.progress.stale

    @property
    def trained(self) -> Trained:
        """What the checkpoints hold, besides the carry and the progress."""
        return Trained(self.learner.model, self.learner.optimizers, self.learner.averaged)

    def save(self, tracker: Tracker | None, best: bool) -> None:
        """Write a checkpoint, after the records that lead up to it."""
        learner = self.learner
        mine = [{name: value.cpu() for name, value in slots.items()} for slots in learner.states]
        states = learner.world.gather(mine)
        if tracker:
            tracker.flush()
        rest = {"states": states, "progress": asdict(self.progress)}
        self.checkpoints.save(self.progress.step, self.trained, rest, best)

    def restore(self, from_step: int | None = None) -> None:
        """Go back to the newest whole checkpoint, or to that of `from_step`; to the start where there is none."""
        learner, checkpoints = self.learner, self.checkpoints
        if from_step is not None:
            checkpoints.go_back(from_step)
        device, world = learner.device.torch_device, learner.world
        saved, remarks = checkpoints.first_whole(
            checkpoints.names, lambda name: checkpoints.load(name, self.trained, device)
        )
        for remark in remarks if world.is_main else ():
            print(f"warning: {remark}; going back to the checkpoint before it", file=sys.stderr)
        if saved is None:
            return
        # Micro-batch m of a step belongs to process m % size, and that many processes saved this.
        states, size = saved["states"], len(saved["states"])
        mine = [states[m % size][m // size] for m in range(world.rank, learner.config.micro_batches, world.size)]
        learner.states = [{name: value.to(device) for name, value in slots.items()} for slots in mine]
        self.progress = Progress(**saved["progress"])
        learner.step = self.progress.step

    def finish(self) -> None:
        """Leave the weights of the best checkpoint in the run."""
        if not self.learner.world.is_main:
            return
        model, checkpoints = self.learner.task.model(), self.checkpoints
        candidates = [name for name in (checkpoints.best, *checkpoints.names) if name]
        _, remarks = checkpoints.first_whole(candidates, lambda name: checkpoints.load_evaluated(name, model))
        for remark in remarks:
            print(f"warning: {remark}; taking the weights of another checkpoint", file=sys.stderr)
        with saving(f"the weights to {self.run / MODEL}", "resume it with train --resume"):
            save_weights(model, self.run / MODEL)


def build_trainer(
    task: Task,
    config: TrainConfig,
    seed: int,
    run: Path,
    identity: Identity,
    device: Device,
    world: World,
    init: Path | None = None,
    hooks: Hooks = NO_HOOKS,
) -> Trainer:
    """The trainer of a run, before its checkpoints are looked at.

    Raises:
        Problem: the configuration does not fit the processes, or the checkpoints are another run's.
    """
    learner = build_learner(task, config, seed, device, world, init)
    checkpoints = Checkpoints(run / "checkpoints", identity, world, config.keep_every)
    return Trainer(run, learner, checkpoints, hooks)
