"""A table that names images: .csv or .parquet with the column `path`, and perhaps label, caption, split and group."""

import csv
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.folders import place_of
from .items import SPLIT_NAMES, Item, Place, Source, mixed

COLUMNS = ("path", "label", "caption", "split", "group")
SHOWN = 3


def source_of(file: Path) -> Source:
    """The images that a table names, by their paths from the table's folder.

    Raises:
        Problem: it cannot be read, has no column `path`, names what is not there or twice, or says of some images what
            it does not say of others.
    """
    start, rows = (1, parquet(file)) if file.suffix.lower() == ".parquet" else (2, table(file))
    if not rows:
        raise Problem(f"{file} names no image")
    if "path" not in rows[0]:
        raise Problem(f'{file} has no column "path": its columns are {", ".join(rows[0])}')
    items = [item_of(file, number, row) for number, row in enumerate(rows, start)]
    refuse_names(file, [item.name for item in items])
    if mixture := mixed(items):
        what, one, other = mixture
        raise Problem(f"{file} says a {what} of {one.name}, and none of {other.name}: give each one, or none")
    status = [(file.parent / item.name).stat() for item in items]
    told = [(item.name, *item[2:], of.st_size, of.st_mtime_ns) for item, of in zip(items, status, strict=True)]
    ignored = [column for column in rows[0] if column not in COLUMNS]
    place, rest = place_of(file), f" (columns that are not read: {', '.join(ignored)})" if ignored else ""
    described = f"{len(items)} images{rest}"
    return Source(place, fingerprint(repr((place, told))), described, partial(iter, items), len(items))


def refuse_names(file: Path, names: list[str]) -> None:
    """Refuse paths that are no files, and files that are named twice.

    Raises:
        Problem: there are such.
    """
    twice = [name for name, count in Counter(map(os.path.normpath, names)).items() if count > 1]
    if twice:
        raise Problem(f"{file} names {len(twice)} images more than once: {some(twice)}")
    missing = [name for name in names if not (file.parent / name).is_file()]
    if missing:
        raise Problem(f"{file} names {len(names)} images; {len(missing)} are not in {file.parent}: {some(missing)}")


def some(names: list[str]) -> str:
    """The first few."""
    return ", ".join(names[:SHOWN]) + " …" * (len(names) > SHOWN)


def item_of(file: Path, number: int, row: dict[str, Any]) -> Item:
    """What a row says of its image.

    Raises:
        Problem: it names no image, or a split that is none.
    """
    said = {name: str(row[name]).strip() or None for name in COLUMNS if row.get(name) is not None}
    path, split = said.get("path"), said.get("split")
    if path is None:
        raise Problem(f"{file}, row {number} names no path")
    if split is not None and split.lower() not in SPLIT_NAMES:
        raise Problem(f"{file}, row {number}: the split {split} is none of {', '.join(SPLIT_NAMES)}")
    return Item(
        path,
        Place(str(file.parent / path)),
        said.get("label"),
        said.get("caption"),
        SPLIT_NAMES[split.lower()] if split else None,
        said.get("group"),
    )


def table(file: Path) -> list[dict[str, Any]]:
    """The rows of a .csv file, which may begin with a byte-order mark."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines, strict=True))
    except UnicodeDecodeError as error:
        raise Problem(f"{file} is not UTF-8 text (byte {error.start}): convert it") from None
    except (OSError, csv.Error) as error:
        raise Problem(f"cannot read {file}: {error}") from None
    for number, row in enumerate(rows, 2):
        if None in row:  # where DictReader puts what is more
            raise Problem(
                f"{file}, row {number} has more fields than there are columns: quote a text that holds a comma"
            )
    return rows


def parquet(file: Path) -> list[dict[str, Any]]:
    """The rows of a .parquet file."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise Problem(f"reading {file} needs pyarrow: uv sync --extra parquet, or pip install pyarrow") from None
    try:
        rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    except (ArrowException, OSError) as error:
        raise Problem(f"{file} is not a parquet file: {error}") from None
    return rows
