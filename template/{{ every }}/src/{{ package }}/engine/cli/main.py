"""Train a model, evaluate it honestly, and use it."""

import errno
import importlib
import os
import pkgutil
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from tyro.conf import subcommand

from ...presets import PRESETS, Config
from ..core.config_io import refuse_changes
from ..core.errors import Interrupted, Problem
from .train import Train

ROOM = __name__.rpartition(".")[0]
FIRST = ("train", "evaluate", "predict", "report")
"""The commands that `--help` lists before the others."""

OUT_OF_MEMORY = ("out of memory", "can't allocate memory")
"""What PyTorch's errors say on a GPU and on the CPU."""
NARROWEST = 40
"""Columns that `--help` needs."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; an error that a person can fix becomes one line and a non-zero exit code."""
    # Read when PyTorch is loaded: its threads then wait for each other awake for some microseconds, and after that
    # asleep. Always asleep, small operations took 2.7 times as long on an idle machine; always awake, a training was
    # slowed down seven times by two others beside it.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    prepare_output()
    try:
        parse(sys.argv[1:] if arguments is None else arguments)()
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        code = exit_code(error)
        if code is None:
            raise
        sys.exit(code)


def exit_code(error: BaseException) -> int | str | None:
    """What the process ends with: a code, or the line that says what to do; None where only a traceback helps."""
    match error:
        case Problem():
            return f"error: {error}"
        case Interrupted():
            print(error, file=sys.stderr)
            return error.exit_code
        case KeyboardInterrupt():
            return 128 + signal.SIGINT
        case BrokenPipeError():
            # Whoever read the output has read enough; what is still buffered goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + 13
        case OSError() if error.errno in DISK:
            return f"error: {error.filename or 'disk'}: {error.strerror}; what was saved before is whole"
        case RuntimeError() if any(words in str(error) for words in OUT_OF_MEMORY):
            return (
                "error: out of memory. Start a new run with a smaller --train.micro-batch, with activation "
                "checkpointing where the model offers it, or with a smaller model"
            )
        case RuntimeError() if type(error).__name__ == "InductorError":
            return f"error: {str(error).splitlines()[0]}; --train.compile off trains without torch.compile"
    return None


def prepare_output() -> None:
    """Escape what the output's encoding lacks: a model says anything, and a pipe on Windows has an old encoding.

    What is written to an output that was closed from the start goes nowhere. In a terminal of very few columns, tyro
    would look for a place to break its lines for ever.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, StringIO())
    if shutil.get_terminal_size().columns < NARROWEST:
        os.environ["COLUMNS"] = str(NARROWEST)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def parse(arguments: Sequence[str]) -> Any:
    """The command that was typed, with its options.

    Raises:
        Problem: a value does not fit, or the options of a resumed run differ from the run's.
    """
    name = arguments[0] if arguments else ""
    every = commands()
    chosen = every.get(name)
    config, run = starting_point(chosen, arguments) if starts_from_preset(chosen) else (PRESETS["default"](), None)
    kinds = tuple(
        Annotated[kind, subcommand(word, default=kind(config=config)) if starts_from_preset(kind) else subcommand(word)]
        for word, kind in every.items()
    )
    program = Path(sys.argv[0]).name
    if program == "__main__.py":
        program = f"python -m {__package__.split('.')[0]}"
    command = tyro.cli(Union[kinds], prog=program, description=__doc__, args=arguments)  # type: ignore[call-overload]  # noqa: UP007
    if isinstance(command, Train) and run:
        named = len(arguments) > 1 and not arguments[1].startswith("-")
        if named and command.preset != config.preset:
            raise Problem(f"{run} was started from {config.preset}, not {command.preset}: leave the preset out")
        refuse_changes(config, command.config, Train.may_change)
        return replace(command, preset=config.preset, run=str(run))
    if starts_from_preset(type(command)) and command.preset != config.preset:
        raise Problem(f"name the preset before the options: {name} {command.preset} --field value")
    if isinstance(command, Train) and command.run:
        raise Problem("--run goes with --resume: a new run names its folder itself")
    return command


def commands() -> dict[str, Any]:
    """What is typed for each command, and its class: `do-it` would be `DoIt` in do_it.py."""
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        name = "".join(part.title() for part in module.name.split("_"))
        kind = getattr(importlib.import_module(f"{ROOM}.{module.name}"), name, None)
        if kind is not None:
            found[module.name.replace("_", "-")] = kind
    first = [word for word in FIRST if word in found]
    return {word: found[word] for word in (*first, *(word for word in found if word not in FIRST))}


def starts_from_preset(kind: Any) -> bool:
    """Whether a command has a configuration: a preset's, with the options that override it."""
    return "config" in getattr(kind, "__dataclass_fields__", ())


def starting_point(command: Any, arguments: Sequence[str]) -> tuple[Config, Path | None]:
    """The configuration that the options override: a preset's, or with --resume that of the run, which is found here.

    Raises:
        Problem: there is no such preset or run.
    """
    options = [part for word in arguments[1:] for part in word.split("=", 1)]
    named = options[0] if options and not options[0].startswith("-") else None
    if named is not None and named not in PRESETS:
        raise Problem(f"there is no preset {named}: choose from {', '.join(PRESETS)}")
    if "--resume" not in options:
        return PRESETS[named or command.preset](), None
    from ..core.runs import find, load_config

    run = find(options[options.index("--run") + 1] if "--run" in options[:-1] else None)
    return load_config(run, Config), run
