"""The loop.

What a run is made of, and where it comes from:

    order of the data and noise   functions of (seed, step, micro-batch): nothing to save
    weights, optimizer, EMA       in the checkpoint
    carry                         the task's state between steps, in the checkpoint
    Progress                      step, best score and what the next record needs, in the checkpoint

so that a run that was killed and resumed ends with the same bits as one that never was.
"""

import math
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..core.batch import Batch
from ..core.errors import Diverged, Interrupted, Problem
from ..core.signals import Signals
from ..core.tracking import Tracker
from ..task import Context, Output, Task
from .checkpoint import MODEL, Identity, Trained, load_weights, save_weights, saving
from .checkpoint_storage import Checkpoints
from .config import TrainConfig
from .dataloader import TrainingBatches
from .device import Device, compiles
from .parallel import World
from .progress import Display
from .seeding import generator, key, reseed
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


class Step(NamedTuple):
    """What one optimizer step did."""

    loss: float
    """Per unit of weight."""
    norm: float
    """Of the gradient, before clipping."""
    weight: float
    """Units that counted, such as tokens."""
    rate: float
    """Learning rate."""
    stop: bool
    """Whether a process was asked to stop."""


class Trainer:
    """Trains the model of a task into a run folder."""

    def __init__(
        self,
        task: Task,
        config: TrainConfig,
        seed: int,
        run: Path,
        identity: Identity,
        device: Device,
        world: World,
        init: Path | None = None,
    ) -> None:
        if config.micro_batches % world.size:
            raise Problem(
                f"a step has {config.micro_batches} micro-batches, which {world.size} processes cannot share equally: "
                "change --train.batch or --train.micro-batch"
            )
        if not task.separable and config.micro_batches != world.size:
            raise Problem(
                "this loss needs the whole batch at once: set --train.micro-batch to "
                f"{config.batch // world.size}, the batch of {config.batch} over {world.size} processes"
            )
        self.task, self.config, self.seed, self.run = task, config, seed, run
        self.device, self.world = device, world
        self.micro_batches = config.micro_batches // world.size
        reseed(key(seed, "initialisation"))
        self.model = task.model()
        if init:
            load_weights(self.model, init)
        self.averaged = world.average(self.model, config.ema, device.torch_device) if config.ema else None
        self.wrapped = world.wrap(self.model, device.torch_device)
        self.optimizer = torch.optim.AdamW(
            task.groups(self.model),
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=device.type != "mps",
        )
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.carry = [task.start(config.micro_batch, device.torch_device) for _ in range(self.micro_batches)]
        self.noise = generator(device.torch_device, 0)
        self.logs: dict[str, Tensor] = {}
        self.progress = Progress()
        self.checkpoints = Checkpoints(run / "checkpoints", identity, world)

    @property
    def trained(self) -> Trained:
        """What the checkpoints hold, besides the carry and the progress."""
        return Trained(self.model, self.optimizer, self.averaged)

    @property
    def evaluated(self) -> nn.Module:
        """The model whose metrics count: the moving average where there is one."""
        return self.averaged.module if self.averaged else self.model

    def fit(self, tracked: dict[str, Any]) -> None:
        """Train from the last checkpoint to the end, and leave the best weights in the run.

        `tracked` is what the tracker shows as the run's configuration.

        Raises:
            Interrupted: a signal asked to stop; everything is saved.
            Problem: the loss is not finite, the disk is full, or no checkpoint can be used.
        """
        self.restore()
        config, progress, world = self.config, self.progress, self.world
        tracker = Tracker(self.run, tracked, progress.step) if world.first else None
        display = Display(progress.step, config.steps, self.task.unit, world.first)
        network = self.network()
        batches = self.batches()
        try:
            with Signals() as signals, display:
                while progress.step < config.steps and not self.out_of_patience:
                    step = self.step(network, batches, bool(signals.received))
                    progress.step += 1
                    progress.recent.append(step.loss)
                    display.update(progress.step, step.loss, step.weight)
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

    def network(self) -> Any:
        """The model as it is called in training: wrapped where several processes train it, and perhaps compiled."""
        return self.world.compile(self.wrapped) if compiles(self.device, self.config.compile) else self.wrapped

    def batches(self) -> Iterator[Batch]:
        """This process's micro-batches from the present step on."""
        config = self.config
        batches = TrainingBatches(self.task.data("train"), self.seed, config.batch, config.micro_batch)
        steps = range(self.progress.step, config.steps)
        return batches.loader(steps, self.world.rank, self.world.size, config.workers, self.device.type == "cuda")

    def step(self, network: Any, batches: Iterator[Batch], stop: bool) -> Step:
        """One optimizer step.

        Raises:
            Diverged: the loss or the gradient is not finite; the weights are as they were.
        """
        config = self.config
        rate = learning_rate(config, self.progress.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        totals = self.accumulate(network, batches, stop)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        summed_norm = self.world.norm(gradients)
        # One transfer to the host for all of them, since each waits for the device.
        loss, weight, stops, norm = torch.stack((*self.world.sum(totals), summed_norm)).tolist()
        # The data-parallel wrapper averages over processes what is a sum here.
        scale = self.world.size / weight if weight else math.nan
        loss, norm = loss * scale / self.world.size, norm * scale
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise self.not_finite(loss, norm)
        # Dividing by the weight and clipping are one pass over the gradients.
        torch._foreach_mul_(gradients, scale * min(1.0, config.clip / (norm + 1e-6)))
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.averaged:
            self.averaged.update_parameters(self.model)
        return Step(loss, norm, weight, rate, stops > 0)

    def accumulate(self, network: Any, batches: Iterator[Batch], stop: bool) -> Tensor:
        """Forward and backward over this process's micro-batches; the sums of loss, weight and wishes to stop."""
        step, device = self.progress.step, self.device
        totals = torch.zeros(3, device=device.torch_device)
        totals[2] = stop
        self.logs = {}
        for local in range(self.micro_batches):
            number = step * self.config.micro_batches + local * self.world.size + self.world.rank
            reseed(key(self.seed, "step", number))
            self.noise.manual_seed(key(self.seed, "noise", number))
            # Only memory that CUDA pinned may be copied while the program goes on.
            pinned = device.type == "cuda"
            batch = {name: value.to(device.torch_device, non_blocking=pinned) for name, value in next(batches).items()}
            last = local == self.micro_batches - 1
            with self.world.accumulating(network, last):
                weight = self.task.weight(batch, self.carry[local])
                output = self.forward(network, batch, self.carry[local])
                self.backward(output.loss)
            self.carry[local] = output.carry
            for name, value in output.logs.items():
                self.logs[name] = self.logs.get(name, 0) + value.detach()
            totals[0] += output.loss.detach()
            totals[1] += weight
        return totals

    def forward(self, network: Any, batch: Batch, carry: dict[str, Tensor]) -> Output:
        """The loss of one micro-batch."""
        with self.device.autocast():
            return self.task.loss(network, batch, carry, Context(self.progress.step, self.noise))

    def backward(self, loss: Tensor) -> None:
        """Add its gradients to those of the step."""
        loss.backward()

    def record(self, step: Step, display: Display) -> dict[str, float]:
        """The mean loss since the last record, and the state of the optimization."""
        recent = self.progress.recent
        values = {
            "loss": sum(recent) / len(recent),
            "gradient_norm": step.norm,
            "learning_rate": step.rate,
            "timing/time": time.time(),
            f"timing/{self.task.unit}_per_second": display.rate,
        }
        recent.clear()
        return values | {name: float(self.world.sum(value)) / step.weight for name, value in self.logs.items()}

    def validate(self, step: Step, values: dict[str, float], display: Display) -> bool:
        """Add the metrics of the validation split to `values`; whether the first is the best so far."""
        config, progress = self.config, self.progress
        _, metrics = measure(
            self.task,
            self.evaluated,
            "validation",
            config.micro_batch,
            seed=self.seed,
            limit=config.validation_batches,
            bf16=self.device.bf16,
        )
        shared = self.world.share({f"validation/{name}": metric.value for name, metric in metrics.items()})
        values.update(shared)
        name, metric = next(iter(metrics.items()))
        value = shared[f"validation/{name}"]
        sign = 1 if metric.higher_is_better else -1
        best = math.isfinite(value) and (progress.best is None or sign * value > sign * progress.best)
        progress.best, progress.stale = (value, 0) if best else (progress.best, progress.stale + 1)
        display.validated(progress.step, step.loss, name, value, best)
        return best

    @property
    def out_of_patience(self) -> bool:
        return 0 < self.config.patience <= self.progress.stale

    def save(self, tracker: Tracker | None, best: bool) -> None:
        """Write a checkpoint, after the records that lead up to it."""
        carry = self.world.gather([{name: value.cpu() for name, value in slots.items()} for slots in self.carry])
        if tracker:
            tracker.flush()
        self.checkpoints.save(
            self.progress.step, self.trained, {"carry": carry, "progress": asdict(self.progress)}, best
        )

    def restore(self) -> None:
        """Go back to the newest checkpoint that is whole; to the start where there is none."""
        device, checkpoints = self.device.torch_device, self.checkpoints
        state, remarks = checkpoints.first_whole(
            checkpoints.names, lambda name: checkpoints.load(name, self.trained, device)
        )
        for remark in remarks if self.world.first else ():
            print(f"warning: {remark}; going back to the checkpoint before it", file=sys.stderr)
        if state is None:
            return
        # Micro-batch m of a step belongs to process m % size, and that many processes saved this.
        carry, size = state["carry"], len(state["carry"])
        mine = [carry[m % size][m // size] for m in range(self.world.rank, self.config.micro_batches, self.world.size)]
        self.carry = [{name: value.to(device) for name, value in slots.items()} for slots in mine]
        self.progress = Progress(**state["progress"])

    def finish(self) -> None:
        """Leave the weights of the best checkpoint in the run."""
        if not self.world.first:
            return
        model, checkpoints = self.task.model(), self.checkpoints
        candidates = [name for name in (checkpoints.best, *checkpoints.names) if name]
        _, remarks = checkpoints.first_whole(candidates, lambda name: checkpoints.load_evaluated(name, model))
        for remark in remarks:
            print(f"warning: {remark}; taking the weights of another checkpoint", file=sys.stderr)
        with saving(f"the weights to {self.run / MODEL}", "go on with train --resume"):
            save_weights(model, self.run / MODEL)

    def not_finite(self, loss: float, norm: float) -> Diverged:
        last = self.checkpoints.last
        kept = f"{last} is kept" if last else "there was no checkpoint yet"
        return Diverged(
            f"the loss is {loss} and the gradient's norm {norm} at step {self.progress.step + 1}; the optimizer step "
            f"was not taken, and {kept}. In a new run, lower --train.learning-rate or lengthen --train.warmup; if it "
            "stays, look for infinite values in the data, and for a division or a logarithm of zero in the loss"
        )


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a cosine from the peak to `final_learning_rate` of it (Loshchilov & Hutter 2017)."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    done = (step - config.warmup) / max(config.steps - config.warmup, 1)
    final = config.final_learning_rate
    return config.learning_rate * (final + (1 - final) * (1 + math.cos(math.pi * done)) / 2)
