"""Steps of a run, taken again with eyes on what its record does not hold.

Order, noise and initialisation are functions of seed and step, so a checkpoint and its number give the steps behind it
again: on the machine and with the threads of the run, to the bit. Nothing is written into the run.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from ..core.batch import Batch
from ..core.errors import Diverged
from ..core.runs import load_environment
from ..task import Task
from ..training.checkpoint import identity_of
from ..training.config import TrainConfig
from ..training.dataloader import TrainingBatches
from ..training.device import choose_for_use
from ..training.parallel import World
from ..training.step import Step
from ..training.trainer import Trainer, build_trainer
from .nonfinite import Origin, blame, finite, flow

AHEAD = 10**6
"""Steps that may be taken again, more than anybody waits for."""
SILENT = 1e-9
"""A unit whose weights never get more than this share of their layer's largest gradient learns nothing. A dead ReLU
gets none at all; a GELU at -10 or a sigmoid at 30 get 1e-13 and less."""


@dataclass(frozen=True)
class Layer:
    """The gradient of one weight matrix or kernel."""

    name: str
    gradient: float
    """Root mean square over its elements, the median over the steps."""
    units: int
    dead: int
    """Units that no example of these steps taught anything."""


class Replay:
    """Takes steps of a run again, from its last checkpoint or its start, and keeps what it sees."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.learner = trainer, trainer.learner
        self.source: Generator[Batch, None, None] | None = None
        self.waited = 0.0
        """Seconds that the last step waited for its data."""
        self.gradients: dict[str, list[float]] = {}
        self.largest: dict[str, Tensor] = {}
        """For each unit of a layer, its largest gradient in the steps that were watched."""

    def batches(self) -> Generator[Batch, None, None]:
        """The micro-batches of the next steps, with the time that they are waited for."""
        learner = self.learner
        config, steps = learner.config, range(learner.step, learner.step + AHEAD)
        numbered = TrainingBatches(learner.task.data("train"), learner.seed, config.batch, config.micro_batch)
        # Here and not at the first step, whose generators it would draw from.
        return self.timed(numbered.loader(steps, 0, 1, config.num_workers, learner.device.type == "cuda"))

    def timed(self, source: Iterator[Batch]) -> Generator[Batch, None, None]:
        """The same batches, with the time that they are waited for."""
        while True:
            started = time.perf_counter()
            batch = next(source)
            self.waited += time.perf_counter() - started
            yield batch

    def take(self) -> Step:
        """The next step.

        Raises:
            Diverged: its loss or gradient is not finite; the state is the one before it.
        """
        self.source = self.source or self.batches()
        self.waited, state = 0.0, list(self.learner.states)
        try:
            return self.learner.take(self.source)
        except Diverged:
            self.close()
            self.learner.states = state
            raise

    def close(self) -> None:
        """End the processes that prepare the data."""
        if self.source:
            self.source.close()
        self.source = None

    def data_share(self, steps: int) -> float:
        """The share of its time that a step waits for data, over the faster two thirds of the next steps.

        The slower ones are those that warm up and those that something else on the machine interrupted.
        """
        waits, times = [], []
        for _ in range(steps):
            started = time.perf_counter()
            self.take()
            times.append(time.perf_counter() - started)
            waits.append(self.waited)
        counted = sorted(range(steps), key=times.__getitem__)[: 1 + 2 * steps // 3]
        return sum(waits[i] for i in counted) / sum(times[i] for i in counted)

    def layers(self, steps: int) -> list[Layer]:
        """The gradients of every layer in the next steps."""
        self.learner.watch = self.watch
        for _ in range(steps):
            self.take()
        self.learner.watch = None
        return [
            Layer(name, median(self.gradients[name]), len(largest), int((largest <= SILENT * largest.max()).sum()))
            for name, largest in self.largest.items()
        ]

    def watch(self, units: Tensor) -> None:
        """Note the gradients of a step, per unit."""
        for name, parameter in matrices(self.learner.model):
            if parameter.grad is not None:
                gradient = parameter.grad.float() / units
                largest = gradient.flatten(1).abs().amax(1)
                self.gradients.setdefault(name, []).append(float(gradient.square().mean().sqrt()))
                self.largest[name] = torch.maximum(self.largest.get(name, largest), largest)

    def hunt(self, steps: int) -> tuple[list[tuple[int, float]], Origin | None]:
        """The losses of the next steps, and where the first value that is not finite came up, if one did."""
        losses: list[tuple[int, float]] = []
        for _ in range(steps):
            try:
                losses.append((self.learner.step + 1, self.take().loss))
            except Diverged:
                return losses, self.origin()
        return losses, None

    def origin(self) -> Origin:
        """Take the step that failed once more, and name what first was not finite."""
        step, model = self.learner.step + 1, self.learner.model
        for name, parameter in model.named_parameters():
            if not finite(parameter):
                return Origin(step, "weights", name, [])
        poisoned = self.poisoned()
        if poisoned:
            return Origin(step, "data", *poisoned)
        model.zero_grad()
        with flow(model) as calls:
            totals, _ = self.learner.accumulate(self.batches())
        return Origin(step, *blame(model, calls, finite(totals[0])), [])

    def poisoned(self) -> tuple[str, list[int]] | None:
        """The first tensor of the step's batch with a value that is not finite, and the examples that hold one."""
        learner = self.learner
        config = learner.config
        numbered = TrainingBatches(learner.task.data("train"), learner.seed, config.batch, config.micro_batch)
        first = learner.step * config.micro_batches
        for number in range(first, first + config.micro_batches):
            for name, value in numbered[number].items():
                bad = ~value.float().isfinite().flatten(1).all(1) if value.ndim > 1 else ~value.float().isfinite()
                if bad.any():
                    return name, sorted(numbered.indices(number)[bad.numpy()].tolist())
        return None


def build_replay(run: Path, task: Task, train: TrainConfig, seed: int) -> Replay:
    """A replay of a run before its first step; `trainer.restore` goes to its last checkpoint."""
    if not task.per_example_loss:
        # Several processes share a step of such a loss; this one takes it alone.
        train = replace(train, micro_batch=train.batch)
    train = replace(train, compile="off")
    identity = identity_of(run, str(load_environment(run)["data"]))
    return Replay(build_trainer(task, train, seed, run, identity, choose_for_use(train), World()))


def matrices(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that map features to units; not embeddings, whose rows learn only when they are looked up."""
    tables = {id(p) for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) for p in m.parameters()}
    yield from ((name, p) for name, p in model.named_parameters() if p.ndim >= 2 and id(p) not in tables)


def miniature(run: Path, task: Task, train: TrainConfig, seed: int, steps: int) -> float:
    """The loss at the end of a run whose whole schedule has only so many steps; infinite where it is not finite."""
    steps = min(steps, train.steps)
    short = replace(train, steps=steps, warmup_steps=round(train.warmup_steps * steps / train.steps), num_workers=0)
    replay = build_replay(run, task, short, seed)
    try:
        losses = [replay.take().loss for _ in range(steps)]
    except Diverged:
        return math.inf
    finally:
        replay.close()
    last = losses[-max(1, steps // 6) :]
    return sum(last) / len(last)
