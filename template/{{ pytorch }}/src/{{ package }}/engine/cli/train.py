"""The command `train`."""

import gc
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from ...presets import Config
from ..core.errors import Problem
from .common import Preset, RunOptions
from .report import write

if TYPE_CHECKING:
    from ..experiments.seeds import Series
    from ..task import Task
    from ..training.parallel import World


@dataclass(frozen=True, kw_only=True)
class Train(RunOptions):
    """Train a model, evaluate it and report."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    seeds: int = 1
    """Train so many times, with this seed and those after it, and report the spread. --resume resumes them all."""
    config: Annotated[Config, arg(name="")]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seeds < 1:
            raise Problem(f"--seeds {self.seeds} must be at least 1")
        if self.resume and self.seeds != 1:
            raise Problem("--seeds goes with a new training: --resume resumes all seeds of the one that stopped")

    def __call__(self) -> None:
        from ..core.runs import find
        from ..experiments import seeds
        from ..training.parallel import world

        with world(self.config.train.device) as processes:
            if processes.broadcast(self.run) != self.run:
                raise Problem("another run has begun in the meantime: name the one to resume with --run")
            begun = seeds.of(find(self.run)) if self.resume else None
            if begun is None and self.seeds == 1:
                train(self, processes)
            else:
                train_several(self, processes, begun or seeds.new(self.config, self.seeds))


def train_several(command: Train, world: "World", series: "Series") -> None:
    """Train what is left of a series, and report the spread."""
    from ..statistics.metrics import show

    for seed in series.seeds:
        run, finished = world.broadcast(series.member(seed) if world.is_main else None)
        if finished:
            continue
        if world.is_main:
            print(f"\nseed {seed} of {series.seeds.start} to {series.seeds.stop - 1}", file=sys.stderr)
        config = replace(command.config, seed=seed)
        resumed = run is not None
        one = replace(command, config=config, resume=resumed, run=run and str(run), from_step=None)
        train(replace(one, init=None, name=None, tags=()) if resumed else one, world, series)
        # A model lies in reference cycles, and the next one needs its memory.
        gc.collect()
    if world.is_main:
        file, spreads = series.write()
        print(f"\n{len(series.seeds)} trainings, seeds {series.seeds.start} to {series.seeds.stop - 1}:\n")
        show(spreads)
        print(f"\nsummary: {file}")


def train(command: Train, world: "World", series: "Series | None" = None) -> None:
    """Open a run, train it to its end, evaluate it on all processes, and report."""
    from ..core.runs import find, load_environment
    from ..training.session import opened, start_from
    from ..training.trainer import build_trainer

    config = command.config
    task = config.task()
    run = find(command.run) if command.resume else None
    also: dict[str, Any] = command.labels
    also |= series.as_dict() if series else {}
    also |= start_from(find(command.init), config, task) if command.init else {}
    with opened(config, task, run, world, also=also) as parts:
        labels = {name: load_environment(parts.run).get(name) for name in ("name", "tags")}
        build_trainer(*parts).fit(asdict(config) | labels, command.from_step)
        world.barrier()
        if world.is_main:
            print("measuring the whole validation split and its baselines", file=sys.stderr)
        evaluate(parts.run, config, task, world)


def evaluate(run: Path, config: Config, task: "Task", world: "World") -> None:
    """Measure a run that was just trained, on all processes, and report."""
    from ..evaluation.evaluation import Evaluation
    from ..statistics.metrics import show

    evaluation = Evaluation(run, config, task, world=world)
    if not evaluation.measured.metrics:
        return  # the first process has them
    write(evaluation)
    if evaluation.samples:
        print(f"\n{evaluation.samples}\n")
    show(evaluation.results)
    print(f"\nrun: {run}\nreport: {run / 'report'}")
