"""What experiments of several trainings share: a training that is made once, what it measured, and intervals."""

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from ..core.config_io import to_json
from ..core.errors import Problem
from ..core.runs import RUNS, load_environment
from ..statistics.metrics import ANYWHERE, Limits, Metric, t_interval
from ..task import Config, Task
from ..training.checkpoint import MODEL
from ..training.device import choose, choose_for_use
from ..training.parallel import World
from ..training.session import opened
from ..training.trained import load_trained
from ..training.trainer import NO_HOOKS, Hooks, build_trainer
from ..training.validation import measure


def trained(config: Config, task: Task, parent: Path = RUNS, hooks: Hooks = NO_HOOKS) -> Path:
    """A finished run of this configuration on its task's data: one that is there, else one that is trained to its end.

    A run that was cut short is resumed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise Problem("this command trains on one process: start it without torchrun, once on each GPU for a sweep")
    earlier = runs_of(config, task.data_hash(), parent)
    finished = [run for run in earlier if (run / MODEL).exists()]
    if finished:
        print(f"{finished[-1]}: is there already", file=sys.stderr)
        return finished[-1]
    unfinished = [run for run in earlier if can_go_on(run, config)]
    for run in unfinished[-1:]:
        with FileLock(run / ".lock"):  # waits for a process that is training it
            pass
        if (run / MODEL).exists():
            return run
    with opened(config, task, unfinished[-1] if unfinished else None, World(), parent) as parts:
        build_trainer(*parts, hooks=hooks).fit(asdict(config))
    return parts.run


def runs_of(config: Config, data: str, parent: Path) -> list[Path]:
    """The runs in a folder that were started with this configuration on these data, the oldest first."""
    text = to_json(config)
    folders = sorted(file.parent for file in parent.glob("[0-9]*/config.json"))
    same = [run for run in folders if (run / "config.json").read_text(encoding="utf-8").strip() == text]
    return [run for run in same if load_environment(run)["data"] == data]


def can_go_on(run: Path, config: Config) -> bool:
    """Whether one process on this device may resume a run."""
    environment, device = load_environment(run), choose(config.train.device, config.train.precision)
    before = (environment["device"], environment["bf16"], environment["processes"])
    return before == (device.type, device.bf16, 1)


def measured(run: Path, config: Config, task: Task) -> dict[str, Metric]:
    """The metrics of a finished run of this configuration on the whole validation split."""
    device, model = choose_for_use(config.train), load_trained(run, config)
    size = config.train.micro_batch
    _, metrics = measure(task, model, "validation", size, world=World(), seed=config.seed, bf16=device.bf16, bar=True)
    return metrics


class Estimate(NamedTuple):
    """A mean over trainings."""

    mean: float
    ci95: tuple[float, float] | None
    """None where there is one training."""

    def __str__(self) -> str:
        if self.ci95 is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f}  95 % interval {self.ci95[0]:.4f} to {self.ci95[1]:.4f}"


def estimate(values: Sequence[float], dependence: float = 0.0, limits: Limits = ANYWHERE) -> Estimate:
    """The mean and its 95 % interval by Student's t, within the limits of what is measured.

    `dependence` is what Nadeau & Bengio (2003, Machine Learning 52, section 4.2) add to 1 / n where the trainings share
    training data: the size of the held-out part over that of the training part.
    """
    return Estimate(statistics.fmean(values), t_interval(values, limits, dependence) if len(values) > 1 else None)
