"""Run folders: `runs/<time>-<preset>/`, or with their own name behind the time, and which of them is meant."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from .config_io import from_json, to_json
from .errors import Problem
from .files import replace, write_atomically
from .json_io import read_json

T = TypeVar("T")

RUNS = Path("runs")
WORKERS_LINGER = 8
"""Seconds that the workers of a killed training may outlive it, and keep its lock."""


def create(config: Any, environment: dict[str, Any], parent: Path = RUNS) -> Path:
    """A new run folder that holds its configuration and environment from the moment it can be seen."""
    run = unused(parent, environment.get("name") or config.preset)
    temporary = parent / f".{run.name}.{os.getpid()}.tmp"
    try:
        temporary.mkdir(parents=True)
        write_atomically(temporary / "config.json", to_json(config) + "\n")
        numbered = environment | {"sequence": max(time.time_ns(), 1 + max(map(sequence, runs_in(parent)), default=0))}
        write_atomically(temporary / "environment.json", json.dumps(numbered, indent=2) + "\n")
        replace(temporary, run)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if run.exists():
            return create(config, environment, parent)  # another process has taken the name in the meantime
        raise Problem(f"cannot create {run}: {error.strerror or error}") from error
    return run


def unused(parent: Path, label: str) -> Path:
    """A path in `parent` that is named after the time and the label, and is not taken."""
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{label}"
    number = 1
    while (folder := parent / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder


def find(run: str | None) -> Path:
    """The run folder that is meant; the latest where none is named.

    Raises:
        Problem: there is none.
    """
    if run is not None:
        folder = Path(run)
        if not (folder / "config.json").is_file():
            raise Problem(f"{folder} is not a run folder: it holds no config.json")
        return folder
    folders = runs_in(RUNS)
    if not folders:
        raise Problem(f"there is no run in {RUNS.absolute()}: start one with train")
    return folders[-1]


def runs_in(parent: Path) -> list[Path]:
    """The run folders in `parent`, in the order in which they were started."""
    return sorted((file.parent for file in parent.glob("[0-9]*/config.json")), key=lambda run: (sequence(run), run))


def sequence(run: Path) -> int:
    """A number that is larger for later runs: the time, unless the clock was put back; 0 where none is recorded."""
    try:
        return int(read_json(run / "environment.json", "sequence")["sequence"])
    except (Problem, TypeError, ValueError):
        return 0


def load_config(run: Path, kind: type[T]) -> T:
    """The configuration, of type `kind`, that a run was started with."""
    try:
        return from_json(kind, (run / "config.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{run / 'config.json'} cannot be read: {error}") from error
    except Problem as problem:
        raise Problem(f"{run / 'config.json'}: {problem}") from problem


def load_environment(run: Path) -> dict[str, Any]:
    """Where a run was started.

    Raises:
        Problem: it cannot be read.
    """
    return read_json(run / "environment.json", "data")


def describe_environment(machine: dict[str, Any], data: str) -> dict[str, Any]:
    """What decides a run's bits besides its configuration, of which `machine` is a part, and what repeats it."""
    # Reversed, since the first of two by one name is the one that is imported.
    installed = [distribution.metadata for distribution in metadata.distributions()][::-1]
    return {
        "data": data,
        **machine,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "command": sys.argv,
        "commit": commit(),
        "packages": dict(sorted((about["Name"], about["Version"]) for about in installed if about["Name"])),
    }


def commit() -> str | None:
    """The commit of the code, with `-dirty` behind it where files differ from it or a module is not in it.

    None without git, and where the package is not part of the repository that it lies in.
    """
    try:
        described = git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
        if not described or not git("ls-files"):
            return None
        new = "" if described.endswith("-dirty") or not git("ls-files", "--others", "*.py") else "-dirty"
    except FileNotFoundError:
        return None
    return described + new


def git(*arguments: str) -> str:
    """What git prints about this package; nothing where it fails."""
    package = Path(__file__).parents[2]
    return subprocess.run(
        ["git", *arguments], capture_output=True, encoding="utf-8", cwd=package, check=False
    ).stdout.strip()


@contextmanager
def exclusive(run: Path) -> Iterator[None]:
    """Keep every other training out of a run; the lock dies with the process.

    Raises:
        Problem: another training has it.
    """
    lock = FileLock(run / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{run} is locked; waiting {WORKERS_LINGER} s for what is left of another training", file=sys.stderr)
        try:
            lock.acquire(timeout=WORKERS_LINGER)
        except Timeout:
            raise Problem(f"another training is running in {run}: wait for it, or end it") from None
    try:
        yield
    finally:
        lock.release()
