"""The command `train`."""

import gc
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from ...presets import Config
from ..core.errors import Problem
from .common import Preset, report

if TYPE_CHECKING:
    from ..experiments.seeds import Series
    from ..training.parallel import World


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model, evaluate it and report."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    resume: bool = False
    """Go on with the latest run, bit for bit, from its last checkpoint."""
    run: str | None = None
    """With --resume: go on with this run folder instead."""
    init: str | None = None
    """Start a new run from the weights of this finished one, instead of from random weights."""
    seeds: int = 1
    """Train so many times, with this seed and those after it, and report the spread. --resume goes on with them all."""
    config: Annotated[Config, arg(name="")]

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise Problem(f"--seeds {self.seeds} must be at least 1")
        if self.resume and self.init:
            raise Problem("--init goes with a new run: a resumed one keeps the weights that it started from")
        if self.resume and self.seeds != 1:
            raise Problem("--seeds goes with a new training: --resume goes on with all seeds of the one that stopped")

    def __call__(self) -> None:
        from ..core.runs import find
        from ..experiments import seeds
        from ..training.parallel import world

        with world(self.config.train.device) as processes:
            begun = seeds.of(find(self.run)) if self.resume else None
            if begun is None and self.seeds == 1:
                train(self, processes)
            else:
                train_several(self, processes, begun or seeds.new(self.config, self.seeds))


def train_several(command: Train, world: "World", series: "Series") -> None:
    """Train what is left of a series, and report the spread."""
    from ..statistics.metrics import show_rows

    for seed in series.seeds:
        run, finished = world.share(series.member(seed) if world.first else None)
        if finished:
            continue
        if world.first:
            print(f"\nseed {seed} of {series.seeds.start} to {series.seeds.stop - 1}", file=sys.stderr)
        config = replace(command.config, seed=seed)
        resumed = run is not None
        init = None if resumed else command.init
        train(replace(command, config=config, resume=resumed, run=run and str(run), init=init), world, series)
        # A model lies in reference cycles, and the next one needs its memory.
        gc.collect()
    if world.first:
        file, spreads = series.write()
        print(f"\n{len(series.seeds)} trainings, seeds {series.seeds.start} to {series.seeds.stop - 1}:\n")
        show_rows(row for name, spread in spreads.items() for row in spread.rows(name))
        print(f"\nsummary: {file}")


def train(command: Train, world: "World", series: "Series | None" = None) -> None:
    """Open a run, train it to its end, and report."""
    from ..core.runs import find
    from ..training.session import opened, start_from
    from ..training.trainer import Trainer

    config = command.config
    task = config.task()
    run = find(command.run) if command.resume else None
    also = (series.as_dict() if series else {}) | (start_from(find(command.init), config, task) if command.init else {})
    with opened(config, task, run, world, also=also) as parts:
        Trainer(*parts).fit(asdict(config))
        if world.first:
            from ..evaluation.evaluation import Evaluation
            from ..statistics.metrics import show

            print("measuring the whole validation split and its floors", file=sys.stderr)
            evaluation = Evaluation(parts.run, config, task)
            report(evaluation)
            print(f"\n{evaluation.examples}\n")
            show(evaluation.results)
            print(f"\nrun: {parts.run}\nreport: {parts.run / 'report'}")
