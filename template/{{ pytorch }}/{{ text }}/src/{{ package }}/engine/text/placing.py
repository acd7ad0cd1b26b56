"""The split of each document: equal and nearly equal ones are one group, and a group lies in one split."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..core.cache import kept
from ..core.config_io import fingerprint
from ..splits.dedup import Pair, joined
from ..splits.division import Division, split_of
from ..splits.leakage import Leakage, Sample, compare
from ..splits.minhash import RULE, near
from ..splits.splits import SPLITS, Entry
from .files import Document

FEW = 30
"""With fewer groups than this, each document is cut in order instead of falling into one split whole."""
ENOUGH = "60 different documents, or a single one of 10 lines,"
"""So much text leaves some for every split: of 60 documents, none falls into one of them with a chance of 0.4 %."""


def place(documents: Sequence[Document], division: Division | None) -> tuple[list[tuple[Sample, Document]], Leakage]:
    """Where each document lies, in the order of their groups' hashes, and what the splits share."""
    keys = [document.key for document in documents]
    pairs = _near(documents, keys) if len(documents) >= FEW else []
    groups = joined(keys, pairs)
    rule = RULE
    if len(set(groups)) >= FEW:
        splits = [split_of(group, division) for group in groups]
    else:
        cut = [(split, part) for document in documents for split, part in _parts(document)]
        splits, documents = [split for split, _ in cut], [part for _, part in cut]
        pairs, rule = [], "equal up to white space"
        keys = groups = [part.key for part in documents]
    names = [document.name for document in documents]
    samples = [Sample(*values) for values in zip(names, splits, keys, groups, strict=True)]
    placed = sorted(zip(samples, documents, strict=True), key=lambda at: (at[0].group, at[1].text))
    return placed, compare(samples, pairs, rule)


def _near(documents: Sequence[Document], keys: list[str]) -> list[Pair]:
    """The pairs that are alike, which are found once."""

    def make(folder: Path) -> None:
        (folder / "pairs.json").write_bytes(json.dumps(near([document.text for document in documents])).encode())

    name = f"near-{fingerprint(' '.join([RULE, *keys]))[:16]}"
    folder = kept(name, f"comparing {len(documents)} documents with each other", make)
    return [Pair(*values) for values in json.loads((folder / "pairs.json").read_bytes())]


def _parts(document: Document) -> list[tuple[str, Document]]:
    """The first 80 % of the lines, the next 10 % and the last 10 %."""
    lines = document.text.splitlines(keepends=True)
    first, second = len(lines) * 8 // 10, len(lines) * 9 // 10
    parts = ("".join(lines[:first]), "".join(lines[first:second]), "".join(lines[second:]))
    return [(split, document._replace(text=part)) for split, part in zip(SPLITS, parts, strict=True) if part.strip()]


def entries(files: list[tuple[str, bytes, list[Document]]], placed: list[tuple[Sample, Document]]) -> list[Entry]:
    """What to lock: every file, and how many of its documents lie in each split."""
    rows = Counter((document.file, sample.split) for sample, document in placed)
    return [
        Entry(path, len(content), fingerprint(content), {split: rows[path, split] for split in SPLITS})
        for path, content, _ in files
    ]
