"""The record of every look at the sealed test split.

A figure on the test split is honest once. Each further look lets a choice depend on it, so the looks are counted in
`ledger.jsonl`, which belongs into the repository, and every report quotes the count.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..core.errors import Problem
from ..core.files import lines_of, write_atomically
from .seal import opened

LEDGER = Path("ledger.jsonl")
FIELDS = {"time", "run", "data", "weights", "results"}


def final(identity: dict[str, str], measure: Callable[[], dict[str, Any]], again: bool) -> tuple[dict[str, Any], bool]:
    """The ledger's entry for these data and weights, and whether it is new: the first time, `measure` writes it.

    `identity` says whose figures they are: the hashes `data` and `weights`, and whatever else should be recorded.

    Raises:
        Problem: the test split was opened for other weights before, and `again` does not allow it once more.
    """
    with FileLock(LEDGER.with_name(f".{LEDGER.name}.lock")):
        entries = read()
        earlier = [entry for entry in entries if entry["data"] == identity["data"]]
        for entry in earlier:
            if entry["weights"] == identity["weights"]:
                return entry, False
        if earlier and not again:
            raise Problem(
                f"the test split was opened for {earlier[-1]['run']} before, and a further look lets your choice "
                "depend on it: --again takes that look, which is counted and shown in every later report"
            )
        with opened():
            results = measure()
        entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **identity, "results": results}
        write_atomically(LEDGER, "".join(json.dumps(line) + "\n" for line in [*entries, entry]))
    return entry, True


def read() -> list[dict[str, Any]]:
    """Every opening, the oldest first.

    Raises:
        Problem: the ledger is damaged.
    """
    entries = [parsed(line) for line in lines_of(LEDGER)] if LEDGER.exists() else []
    if None in entries:
        raise Problem(f"{LEDGER}, line {entries.index(None) + 1} is damaged: restore the file from git")
    return [entry for entry in entries if entry is not None]


def parsed(line: str) -> dict[str, Any] | None:
    """A line of the ledger; None where it is none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and entry.keys() >= FIELDS else None


def uses(data: str) -> int:
    """How often the test split of these data was opened."""
    return sum(entry["data"] == data for entry in read())
