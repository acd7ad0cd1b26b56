"""Train a model, evaluate it honestly, and use it."""

import errno
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union

import tyro
from tyro.conf import Positional, arg, subcommand

from .config import PRESETS, Config, Predict
from .errors import Interrupted, Problem

if TYPE_CHECKING:
    from .distributed import World
    from .evaluation import Result

OUT_OF_MEMORY = ("out of memory", "can't allocate memory")
"""What PyTorch's errors say on a GPU and on the CPU."""


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model, evaluate it and report."""

    preset: Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")] = "default"
    """The configuration to start from; the options below override it."""
    resume: bool = False
    """Go on with the latest run, bit for bit, from its last checkpoint."""
    run: str | None = None
    """With --resume: go on with this run folder instead."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from .distributed import world

        with world(self.config.train.device) as processes:
            train(self, processes)


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
        from .evaluation import Result
        from .report import Evaluation, evaluate_finally
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

    preset: Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")] = "smoke"
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

    preset: Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")] = "default"
    """The configuration to measure; the options below override it."""
    compile: bool = False
    """Compare with torch.compile on any device; on CUDA that is always done."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from .device import choose
        from .profiling import run
        from .seeding import be_deterministic

        be_deterministic()
        for line in run(self.config, choose(self.config.train.device, self.config.train.precision), self.compile):
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
        from .report import Evaluation, write
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


def train(command: Train, world: "World") -> None:
    """Open a run, train it to its end, and report."""
    from . import runs
    from .checkpoint import Identity
    from .device import choose, describe
    from .seeding import be_deterministic
    from .settings import fingerprint
    from .trainer import Trainer

    be_deterministic()
    config = command.config
    device = choose(config.train.device, config.train.precision)
    with world.first_goes_first():
        task = config.task()
        data = task.data_hash()
    run = runs.find(command.run) if command.resume else None
    if run is None:
        environment = runs.describe_environment(device, world, data)
        run = world.share(runs.create(config, environment) if world.first else None)
    else:
        runs.restore_environment(run, device, world, data)
    with runs.exclusive(run) if world.first else nullcontext():
        if world.first:
            task.save_assets(run)
            print(f"{run}: {describe(device)} in {device.precision}", file=sys.stderr)
        identity = Identity(fingerprint(run / "config.json"), data)
        Trainer(task, config.train, config.seed, run, identity, device, world).fit(asdict(config))
        if world.first:
            from .report import Evaluation, write

            print("measuring the whole validation split and its floors", file=sys.stderr)
            evaluation = Evaluation(run)
            write(evaluation)
            print(f"\n{evaluation.examples}\n")
            show(evaluation.results)
            print(f"\nrun: {run}\nreport: {run / 'report'}")


def show(results: dict[str, "Result"]) -> None:
    """Print metrics beside their floors."""
    from .evaluation import table

    for name, value, remark in table(results):
        print(f"{name:32}{value:>10}  {remark}")


def starting_point(arguments: Sequence[str]) -> Config:
    """The configuration that the options override: a preset's, or with --resume the run's own.

    Raises:
        Problem: there is no such preset or run.
    """
    options = [part for word in arguments[1:] for part in word.split("=", 1)]
    named = options[0] if options and not options[0].startswith("-") else None
    if named is not None and named not in PRESETS:
        close = get_close_matches(named, PRESETS, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise Problem(f"there is no preset {named}: choose from {', '.join(PRESETS)}{meant}")
    if "--resume" not in options:
        return PRESETS[named or {"check": "smoke"}.get(arguments[0], "default")]()
    from .runs import find, load_config

    return load_config(find(options[options.index("--run") + 1] if "--run" in options[:-1] else None))


def parse(arguments: Sequence[str]) -> Any:
    """The command that was typed, with its options.

    Raises:
        Problem: a value does not fit, or the options of a resumed run differ from the run's.
    """
    commands: dict[str, Any] = {"evaluate": Evaluate, "predict": Predict, "report": Report, "new-model": NewModel}
    kinds = [Annotated[kind, subcommand(word)] for word, kind in commands.items()]
    name = arguments[0] if arguments else ""
    config = starting_point(arguments) if name in ("train", "check", "profile") else PRESETS["default"]()
    for kind in (Profile, Check, Train):
        kinds.insert(0, Annotated[kind, subcommand(kind.__name__.lower(), default=kind(config=config))])
    program = Path(sys.argv[0]).name
    if program == "__main__.py":
        program = f"python -m {__package__}"
    command = tyro.cli(Union[tuple(kinds)], prog=program, description=__doc__, args=arguments)  # type: ignore[call-overload]  # noqa: UP007
    if isinstance(command, Train) and command.resume:
        refuse_changes(command, config, arguments)
    elif isinstance(command, Train | Check | Profile) and command.preset != config.preset:
        raise Problem(f"name the preset before the options: {name} {command.preset} --field value")
    elif isinstance(command, Train) and command.run:
        raise Problem("--run goes with --resume: a new run names its folder itself")
    return command


def refuse_changes(command: Train, config: Config, arguments: Sequence[str]) -> None:
    """A resumed run keeps the configuration that it was started with."""
    from .settings import differences

    changed = differences(config, command.config)
    if len(arguments) > 1 and not arguments[1].startswith("-") and command.preset != config.preset:
        changed.insert(0, f"preset: {config.preset}, not {command.preset}")
    if changed:
        told = "; ".join(changed)
        raise Problem(f"a resumed run keeps its configuration ({told}): leave the option out, or start a new run")


def print_anything() -> None:
    """Escape what the output's encoding lacks: a model says anything, and a pipe on Windows has an old encoding."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a `Problem` becomes one line and exit code 1."""
    # Read when PyTorch is loaded: its threads then wait for each other asleep. Spinning, they slow a training down many
    # times as soon as anything else runs on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    print_anything()
    try:
        parse(sys.argv[1:] if arguments is None else arguments)()
    except Problem as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        sys.exit(f"error: {error.filename or 'disk'}: {error.strerror}; what was saved before is whole")
    except RuntimeError as error:
        if not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
        sys.exit(
            "error: out of memory. Start a new run with a smaller --train.micro-batch, with activation checkpointing "
            "where the model offers it, or with a smaller model"
        )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(interrupted.exit_code)


if __name__ == "__main__":
    main()
