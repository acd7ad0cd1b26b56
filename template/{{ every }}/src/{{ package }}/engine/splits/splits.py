"""Train, validation and test, and proof that they stayed what they were.

`data.lock.json` records what the data were; later runs refuse data that differ.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.files import write_atomically
from ..core.json_io import read_json

T = TypeVar("T")

SPLITS = ("train", "validation", "test")
LOCK = Path("data.lock.json")


@dataclass(frozen=True)
class Entry:
    """One file of the data, as it was when the lock was written."""

    path: str
    bytes: int
    sha256: str
    rows: dict[str, int]
    """How many of its examples lie in each split."""


class Training(Generic[T]):
    """The training split. What is fitted to data, such as a vocabulary or a scaler, takes this and nothing else.

    It can only be made from all splits, and picks the training one itself: so nothing held out gets into it.
    """

    def __init__(self, splits: Mapping[str, T]) -> None:
        self.data = splits["train"]


def lock(source: str, entries: list[Entry], division: object = None, file: Path = LOCK) -> str:
    """Record the data under the name `source`, or compare them with what is recorded, and return their hash.

    Data under another `division` than the project's own have a hash of their own, which is not recorded.

    Raises:
        Problem: the data are not those of the lock, or the lock cannot be read.
    """
    listed = [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.path)]
    digest = fingerprint(json.dumps(listed))
    if division is not None:
        return fingerprint(f"{digest} {division}")
    locks = read_locks(file)
    recorded = locks.get(source)
    if recorded is None:
        write_atomically(file, json.dumps(locks | {source: {"sha256": digest, "files": listed}}, indent=1) + "\n")
    elif recorded["sha256"] != digest:
        raise Problem(
            f"the data in {source} are not those of {file} ({_changes(recorded['files'], listed)}): "
            f"restore them, or delete {file} to accept the new data"
        )
    return digest


def locked(digest: str, file: Path = LOCK) -> tuple[str, list[Entry]]:
    """What the data of this hash are called in the lock, and their files; no name and no files where it lacks them."""
    locks = read_locks(file)
    for source, recorded in locks.items():
        if recorded["sha256"] == digest:
            return source, [Entry(**entry) for entry in recorded["files"]]
    return "", []


def read_locks(file: Path) -> dict[str, Any]:
    """What is recorded in a lock, by the data's names.

    Raises:
        Problem: the file cannot be read.
    """
    remedy = "restore it, or delete it to record the data anew"
    locks = read_json(file, remedy=remedy) if file.exists() else {}
    if not all(isinstance(recorded, dict) and is_lock(**recorded) for recorded in locks.values()):
        raise Problem(f"{file} is damaged: {remedy}")
    return locks


def is_lock(sha256: object = None, files: object = None, **further: object) -> bool:
    """Whether this is what a lock says of data."""
    fields = Entry.__dataclass_fields__.keys()
    listed = isinstance(files, list) and all(isinstance(file, dict) and file.keys() == fields for file in files)
    return listed and isinstance(sha256, str)


def _changes(old: list[dict[str, object]], new: list[dict[str, object]]) -> str:
    before, after = ({entry["path"]: entry["sha256"] for entry in entries} for entries in (old, new))
    kinds = {
        "changed": [path for path in before.keys() & after.keys() if before[path] != after[path]],
        "missing": list(before.keys() - after.keys()),
        "new": list(after.keys() - before.keys()),
    }
    named = [f"{kind}: {_some(sorted(map(str, paths)))}" for kind, paths in kinds.items() if paths]
    return "; ".join(named) or "the same files, split differently, as after an update that groups near-duplicates"


def _some(paths: list[str]) -> str:
    shown = ", ".join(paths[:3])
    return shown if len(paths) <= 3 else f"{shown} and {len(paths) - 3} more"
