"""What each command does, with its options. Heavy imports stand inside, so that `--help` needs none of them."""

import gc
import json
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from .config import PRESETS, Config
from .errors import Problem

if TYPE_CHECKING:
    from .distributed import World
    from .series import Series

Preset = Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model, evaluate it and report."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    resume: bool = False
    """Go on with the latest run, bit for bit, from its last checkpoint."""
    run: str | None = None
    """With --resume: go on with this run folder instead."""
    seeds: int = 1
    """Train so many times, with this seed and those after it, and report the spread. --resume goes on with them all."""
    config: Annotated[Config, arg(name="")]

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise Problem(f"--seeds {self.seeds} must be at least 1")
        if self.resume and self.seeds != 1:
            raise Problem("--seeds goes with a new training: --resume goes on with all seeds of the one that stopped")

    def __call__(self) -> None:
        from . import series
        from .distributed import world
        from .runs import find

        with world(self.config.train.device) as processes:
            begun = series.of(find(self.run)) if self.resume else None
            if begun is None and self.seeds == 1:
                train(self, processes)
            else:
                train_several(self, processes, begun or series.new(self.config, self.seeds))


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure a finished run on the validation split, beside its floors."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    final: bool = False
    """Open the sealed test split instead, once, and record it in ledger.jsonl."""
    again: bool = False
    """With --final: open it for other weights too; that is counted, and every later report says so."""

    def __call__(self) -> None:
        from .evaluation import Evaluation
        from .intervals import Result, show
        from .report import evaluate_finally
        from .runs import find

        if self.again and not self.final:
            raise Problem("--again goes with --final: the validation split may be looked at as often as you like")
        if not self.final:
            show(Evaluation(find(self.run)).results)
            return
        entry, new = evaluate_finally(find(self.run), self.again)
        print(f"{entry['run']} on the test split, {'now' if new else 'as it was'} recorded at {entry['time']}\n")
        show({name: Result.of(values) for name, values in entry["results"].items()})


@dataclass(frozen=True, kw_only=True)
class Check:
    """Confirm the architecture's sanity before a long training, and the budgets."""

    preset: Preset = "smoke"
    """The configuration to check; the budgets are those of `full`."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from .check import run
        from .device import choose
        from .seeding import be_deterministic

        be_deterministic()
        failed = 0
        for finding in run(self.config, choose(self.config.train.device, "fp32")):
            print(f"{'ok' if finding.passed else 'FAILED':8}{finding.name:28}{finding.what}", flush=True)
            failed += not finding.passed
        if failed:
            raise Problem(f"{failed} checks failed")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Measure a preset's speed, memory and utilisation on this machine, and say what bounds it."""

    preset: Preset = "default"
    """The configuration to measure; the options below override it."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from .device import choose
        from .profiling import run
        from .seeding import be_deterministic

        be_deterministic()
        for line in run(self.config, choose(self.config.train.device, self.config.train.precision)):
            print(line)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write results.json, plots and the model card of a finished run."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print results.json."""
    with_tests: bool = False
    """Run the project's tests too, and fill in what depends on them."""

    def __call__(self) -> None:
        from .evaluation import Evaluation
        from .intervals import show
        from .report import write
        from .runs import find

        evaluation = Evaluation(find(self.run))
        results = write(evaluation, self.with_tests)
        if self.json:
            print(json.dumps(results, indent=2))
        else:
            show(evaluation.results)
            print(f"\nreport: {evaluation.run / 'report'}")


@dataclass(frozen=True, kw_only=True)
class NewModel:
    """Write the skeleton of a second model and its tests, beside the first."""

    name: Positional[str]
    """What the model is called, such as my-net."""

    def __call__(self) -> None:
        from . import scaffold

        module, tests = scaffold.new_model(self.name)
        print(f"{module}\n{tests}\n\nFill the first; its tests pass already, and should go on passing.")
        print(f"To train it, let model() in task.py return {scaffold.camel_case(module.stem)}, and run check.")


def train_several(command: Train, world: "World", series: "Series") -> None:
    """Train what is left of a series, and report the spread."""
    from .intervals import show_rows

    for seed in series.seeds:
        run, finished = world.share(series.member(seed) if world.first else None)
        if finished:
            continue
        if world.first:
            print(f"\nseed {seed} of {series.seeds.start} to {series.seeds.stop - 1}", file=sys.stderr)
        config = replace(command.config, seed=seed)
        train(replace(command, config=config, resume=run is not None, run=run and str(run)), world, series)
        # A model lies in reference cycles, and the next one needs its memory.
        gc.collect()
    if world.first:
        file, spreads = series.write()
        print(f"\n{len(series.seeds)} trainings, seeds {series.seeds.start} to {series.seeds.stop - 1}:\n")
        show_rows(row for name, spread in spreads.items() for row in spread.rows(name))
        print(f"\nsummary: {file}")


def train(command: Train, world: "World", series: "Series | None" = None) -> None:
    """Open a run, train it to its end, and report."""
    from .runs import find
    from .trainer import Trainer
    from .training import opened

    config = command.config
    run = find(command.run) if command.resume else None
    with opened(config, run, world, also=series.as_dict() if series else None) as parts:
        Trainer(*parts).fit(asdict(config))
        if world.first:
            from .evaluation import Evaluation
            from .intervals import show
            from .report import write

            print("measuring the whole validation split and its floors", file=sys.stderr)
            evaluation = Evaluation(parts.run)
            write(evaluation)
            print(f"\n{evaluation.examples}\n")
            show(evaluation.results)
            print(f"\nrun: {parts.run}\nreport: {parts.run / 'report'}")
