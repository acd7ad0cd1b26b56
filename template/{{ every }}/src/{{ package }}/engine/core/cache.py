"""What is made once and kept in `.cache/`: written durably, and made again where it is no longer what was written."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from .config_io import fingerprint
from .errors import Problem
from .files import replace, sync_all, write_atomically
from .json_io import read_json

CACHE = Path(".cache")
MANIFEST = "manifest.json"
"""Size, time and checksum of each file of a kept folder."""


def kept(name: str, what: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` of the cache, filled by `make` where it is missing or damaged.

    Then `what` is printed, if it is anything. Of several processes that need it at once, one makes it, and the others
    wait.

    Raises:
        Problem: it cannot be written.
    """
    folder = CACHE / name
    if whole(folder):
        return folder
    try:
        CACHE.mkdir(exist_ok=True)
        with FileLock(CACHE / f"{name}.lock"):
            if not whole(folder):
                why = "again, since what was kept is damaged" if folder.exists() else "once"
                if what:
                    print(f"{what} ({why}; kept in {folder})", file=sys.stderr)
                fill(folder, make)
    except OSError as error:
        raise Problem(f"cannot write {folder}: {error.strerror or error}") from None
    return folder


def fill(folder: Path, make: Callable[[Path], object]) -> None:
    """Put what `make` writes in the place of a folder, all of it or nothing."""
    temporary = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        make(temporary)
        files = {file.name: [*signature(file), fingerprint(file)] for file in sorted(temporary.iterdir())}
        write_atomically(temporary / MANIFEST, json.dumps(files, indent=1) + "\n")
        sync_all(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def whole(folder: Path) -> bool:
    """Whether a kept folder holds what was written; a file of the same size and time is not read for that."""
    try:
        files = read_json(folder / MANIFEST)
        return bool(files) and all(
            signature(folder / name) == signed or fingerprint(folder / name) == digest
            for name, (*signed, digest) in files.items()
        )
    except (Problem, OSError, ValueError, TypeError):
        return False


def signature(file: Path) -> list[int]:
    """What changes with a file's content, unless somebody takes care that it does not: its size and its time."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
