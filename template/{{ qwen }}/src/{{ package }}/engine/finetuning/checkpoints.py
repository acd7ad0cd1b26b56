"""Which checkpoints of a trainer are whole: transformers writes them in place, so a kill may leave half of one."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.files import sync_all, write_atomically
from ..core.json_io import read_json

KEPT = 2
"""So many are kept, so that a damaged one has a predecessor."""
MARK = "complete.json"
"""The checksums of a checkpoint's files, written after them."""


def mark(checkpoint: Path) -> None:
    """Note that a checkpoint is whole, when all of it is on the disk."""
    sync_all(checkpoint)
    files = sorted(file for file in checkpoint.rglob("*") if file.is_file())
    sums = {file.relative_to(checkpoint).as_posix(): fingerprint(file) for file in files}
    write_atomically(checkpoint / MARK, json.dumps(sums, indent=1) + "\n")


def whole(checkpoint: Path) -> bool:
    """Whether a checkpoint is marked, and its files are still those that were marked."""
    try:
        sums: dict[str, str] = json.loads((checkpoint / MARK).read_text(encoding="utf-8"))
        return all(fingerprint(checkpoint / name) == value for name, value in sums.items())
    except (OSError, ValueError, AttributeError):
        return False


def latest(folder: Path) -> Path | None:
    """The last whole checkpoint in a folder; those after it, and what has no mark, are removed: they are of no use."""
    discard_unmarked(folder)
    for path in reversed(all_in(folder)):
        if whole(path):
            return path
        shutil.rmtree(path)
    return None


def all_in(folder: Path) -> list[Path]:
    """All checkpoints in a folder, whole or not, by their steps."""
    return sorted((path for path in folder.glob("*") if re.fullmatch(r"checkpoint-\d+", path.name)), key=step_of)


def step_of(checkpoint: Path | None) -> int:
    """The optimizer steps before a checkpoint."""
    return 0 if checkpoint is None else int(checkpoint.name.rpartition("-")[2])


def finished(checkpoint: Path, steps: int) -> bool:
    """Whether a checkpoint is that of the last of so many steps; of those that its trainer planned, where it is 0."""
    return step_of(checkpoint) >= (steps or planned(checkpoint))


def planned(checkpoint: Path) -> int:
    """The number of steps that the trainer of a checkpoint was to take."""
    steps: int = read_json(checkpoint / "trainer_state.json", "max_steps")["max_steps"]
    return steps


def go_back(folder: Path, step: int) -> None:
    """Remove the checkpoints after that of a step, to train on from there.

    Raises:
        Problem: there is none of that step, or it is damaged.
    """
    steps = [step_of(path) for path in all_in(folder) if whole(path)]
    if step not in steps:
        raise Problem(f"{folder} holds no whole checkpoint of step {step}: choose from {', '.join(map(str, steps))}")
    for path in all_in(folder)[::-1]:
        if step_of(path) > step:
            shutil.rmtree(path)


def rotate(folder: Path, keep_every: int) -> None:
    """Keep the last two whole checkpoints, and those of every `keep_every` steps where it is not 0."""
    for path in [path for path in all_in(folder) if (path / MARK).exists()][:-KEPT]:
        if not keep_every or step_of(path) % keep_every:
            shutil.rmtree(path)


def discard_unmarked(folder: Path) -> list[Path]:
    """Remove what a kill or a full disk left of a checkpoint that was being written or deleted."""
    halves = [path for path in all_in(folder) if not (path / MARK).exists()]
    for path in halves:
        shutil.rmtree(path)
    return halves


@contextmanager
def saving_into(folder: Path) -> Iterator[None]:
    """Turn what a full or read-only disk raises while a checkpoint is written into one line.

    Raises:
        Problem: one was being written; what there is of it is removed, and those before it are kept.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        halves = discard_unmarked(folder)
        if not halves:
            raise
        raise unsaved(halves[-1], error) from error


@contextmanager
def saving(target: Path) -> Iterator[None]:
    """The same for a folder of another kind, which appears under its name when it is whole."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        raise unsaved(target, error) from error


def unsaved(target: Path, error: Exception) -> Problem:
    """What to do about it."""
    reason = str(error).splitlines()[0]
    return Problem(f"cannot save {target} ({reason}): free space there, then train --resume")
