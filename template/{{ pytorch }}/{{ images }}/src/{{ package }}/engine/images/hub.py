"""A dataset of the Hugging Face Hub, `hf:owner/name` or `hf:owner/name@revision`, through the library `datasets`."""

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from ..core.config_io import fingerprint
from ..core.errors import Problem
from .items import SPLIT_NAMES, Item, Place, Source

MOST = 300
"""Characters of an error of the library's that are shown."""
LABELS, CAPTIONS = ("label", "labels", "fine_label", "class"), ("caption", "text", "captions")


def source_of(name: str) -> Source:
    """The images of a dataset: its column of images, and perhaps a label and a caption.

    Raises:
        Problem: `datasets` is not installed, or the dataset cannot be had.
    """
    try:
        from datasets import Image, load_dataset
    except ImportError:
        raise Problem(f"{name} needs the library datasets: uv sync --extra hub, or pip install datasets") from None
    path, _, revision = name.removeprefix("hf:").partition("@")
    if Path(name.removeprefix("hf:")).is_dir():
        path, revision = name.removeprefix("hf:"), ""
    try:
        splits = load_dataset(path, revision=revision or None)
    except Exception as error:  # whatever the library, its readers and the network raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Problem(f"cannot get {name}: {reason[:MOST]}") from None
    tables = {}
    for split, table in splits.items():
        column = next((known for known, feature in table.features.items() if isinstance(feature, Image)), None)
        if column is None:
            raise Problem(f"{name} has no column of images: its columns are {', '.join(table.features)}")
        tables[split] = (table.cast_column(column, Image(decode=False)), column)
    given = [split for split in tables if split.lower() in SPLIT_NAMES]
    key = fingerprint(repr([(split, table._fingerprint, len(table)) for split, (table, _) in tables.items()]))
    count = sum(len(tables[split][0]) for split in given or tables)
    others = ", ".join(sorted(set(tables) - set(given))) if given else ""
    described = f"{count} images" + (f" (splits that are not read: {others})" if others else "")
    return Source(name, key, described, partial(items_of, {split: tables[split] for split in given or tables}), count)


def items_of(tables: dict[str, tuple[Any, str]]) -> Iterator[Item]:
    """The rows of these tables."""
    for split, (table, column) in tables.items():
        label = next((name for name in LABELS if name in table.features), None)
        caption = next((name for name in CAPTIONS if name in table.features), None)
        names = getattr(table.features[label], "names", None) if label else None
        for number, row in enumerate(table):
            said = row[label] if label else None
            if said is not None:
                said = names[said] if names and isinstance(said, int) and said >= 0 else str(said)
            text = row[caption] if caption else None
            text = next(iter(text), None) if isinstance(text, list) else text
            place = SPLIT_NAMES.get(split.lower())
            yield Item(f"{split}/{number}", reader(row[column]), said, None if text is None else str(text), place)


def reader(image: Any) -> Callable[[], bytes]:
    """Reads what `datasets` gives for an image that it does not decode: its bytes, or the path of its file."""
    if image is None:
        return bytes  # nothing, which is no whole image
    content = image["bytes"]
    return BytesIO(content).getvalue if content is not None else Place(image["path"])
