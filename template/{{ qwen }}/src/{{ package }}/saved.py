"""Which checkpoints of a trainer are whole: transformers writes them in place, so a kill may leave half of one."""

import json
import re
import shutil
from pathlib import Path

from .fields import fingerprint
from .splits import write_atomically

MARK = "complete.json"
"""The checksums of a checkpoint's files, written after them."""


def mark(checkpoint: Path) -> None:
    """Note that a checkpoint is whole."""
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
    """The last whole checkpoint in a folder; those after it are removed, since they are of no use."""
    found = [
        (int(name[1]), path) for path in folder.glob("*") if (name := re.fullmatch(r"checkpoint-(\d+)", path.name))
    ]
    for _, path in sorted(found, reverse=True):
        if whole(path):
            return path
        shutil.rmtree(path)
    return None


def step_of(checkpoint: Path | None) -> int:
    """The optimizer steps before a checkpoint."""
    return 0 if checkpoint is None else int(checkpoint.name.rpartition("-")[2])
