"""Steps of a run, taken again with eyes on what its record does not hold.

Order, noise and initialisation are functions of seed and step, so a checkpoint and its number give the steps behind it
again: on the machine and with the threads of the run, to the bit. Nothing is written into the run.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
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
from ..training.step import Learner
from ..training.trainer import build_trainer
from .nonfinite import Origin, blame, finite, flow

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


def build_replay(run: Path, task: Task, train: TrainConfig, seed: int, *, restored: bool) -> Learner:
    """What takes the steps of a run again, from its last checkpoint or from the start."""
    train = replace(train, compile="off")
    if not task.per_example_loss:
        # Several processes share a step of such a loss; this one takes it alone.
        train = replace(train, micro_batch=train.batch)
    identity = identity_of(run, str(load_environment(run)["data"]))
    trainer = build_trainer(task, train, seed, run, identity, choose_for_use(train), World())
    if restored:
        trainer.restore()
    return trainer.learner


def numbered(learner: Learner) -> TrainingBatches:
    """The micro-batches of the run, by number."""
    config = learner.config
    return TrainingBatches(learner.task.data("train"), learner.seed, config.batch, config.micro_batch)


def batches(learner: Learner, steps: int, workers: int = 0) -> Iterator[Batch]:
    """The micro-batches of the next steps."""
    ahead = range(learner.step, learner.step + steps)
    return numbered(learner).loader(ahead, 0, 1, workers, learner.device.type == "cuda")


def take(learner: Learner, steps: int) -> dict[int, float]:
    """Take the next steps, up to the first that is not finite, and return their losses."""
    losses, source = {}, batches(learner, steps)
    for _ in range(steps):
        states = list(learner.states)
        try:
            loss = learner.take(source).loss
        except Diverged:
            learner.states = states
            break
        losses[learner.step] = loss
    return losses


def origin(learner: Learner) -> Origin:
    """Take a step that is not finite once more, and name what first was not."""
    step, model, data = learner.step + 1, learner.model, numbered(learner)
    for name, parameter in model.named_parameters():
        if not finite(parameter):
            return Origin(step, "weights", name)
    numbers = range(learner.step * learner.micro_batches, step * learner.micro_batches)
    for number in numbers:
        for name, value in data[number].items():
            bad = ~value.isfinite().reshape(len(value), -1).all(1)
            if bad.any():
                return Origin(step, "data", name, sorted(data.indices(number)[bad.numpy()].tolist()))
    model.zero_grad()
    with flow(model) as calls:
        totals, _ = learner.accumulate(data[number] for number in numbers)
    return Origin(step, *blame(model, calls, finite(totals[0])))


def layers(learner: Learner, steps: int) -> list[Layer]:
    """The gradients of every layer in the batches of the next steps, where they are finite."""
    gradients: dict[str, list[float]] = defaultdict(list)
    largest: dict[str, Tensor] = {}
    source = batches(learner, steps)
    for _ in range(steps):
        (_, units, _), _ = learner.accumulate(source)
        learner.step += 1
        for name, parameter in matrices(learner.model):
            if parameter.grad is not None:
                gradient = parameter.grad.float() / units
                of_units = gradient.flatten(1).abs().amax(1)
                gradients[name].append(float(gradient.square().mean().sqrt()))
                largest[name] = torch.maximum(largest.get(name, of_units), of_units)
        learner.model.zero_grad()
    return [
        Layer(name, float(np.median(gradients[name])), len(units), int((units <= SILENT * units.max()).sum()))
        for name, units in largest.items()
        if finite(units)
    ]


def matrices(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that map features to units; not embeddings, whose rows learn only when they are looked up."""
    tables = {id(p) for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) for p in m.parameters()}
    yield from ((name, p) for name, p in model.named_parameters() if p.ndim >= 2 and id(p) not in tables)


def data_share(learner: Learner, steps: int) -> float:
    """The share of its time that a step waits for data, over the faster two thirds of the next steps.

    The slower ones are those that warm up and those that something else on the machine interrupted.

    Raises:
        Diverged: the loss or the gradient of one is not finite.
    """
    waits, times = np.zeros(steps), np.zeros(steps)
    source = batches(learner, steps, learner.config.num_workers)
    for step in range(steps):
        started = time.perf_counter()
        of_step = [next(source) for _ in range(learner.micro_batches)]
        waits[step] = time.perf_counter() - started
        learner.take(iter(of_step))
        times[step] = time.perf_counter() - started
    fast = np.argsort(times)[: 1 + 2 * steps // 3]
    return float(waits[fast].sum() / times[fast].sum())


def short_run(run: Path, task: Task, train: TrainConfig, seed: int, steps: int) -> float:
    """The loss at the end of a run whose whole schedule has only so many steps; infinite where it is not finite."""
    steps = min(steps, train.steps)
    short = replace(train, steps=steps, warmup_steps=round(train.warmup_steps * steps / train.steps))
    losses = take(build_replay(run, task, short, seed, restored=False), steps)
    return mean(list(losses.values())[-max(1, steps // 6) :]) if len(losses) == steps else math.inf
