"""One image of a source, before it is decoded, and what the source says of it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
"""What people call the splits."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image's file lies: by itself, or inside another."""

    file: str
    offset: int = 0
    size: int = -1
    """Bytes; -1 is all of them."""

    def __call__(self) -> bytes:
        """The content."""
        with Path(self.file).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


class Item(NamedTuple):
    """An image, and what is known of it; None is what the source does not say."""

    name: str
    """Its place in the source, as a person finds it."""
    read: Callable[[], bytes]
    """The content of its file: a `Place`, wherever it can be read again later and by another process."""
    label: str | None = None
    """The name of its class."""
    caption: str | None = None
    split: str | None = None
    group: str | None = None
    """Images of one group lie in one split: of a person, a patient, a scene."""


class Source(NamedTuple):
    """Where images come from."""

    name: str
    """What tells it from others: its place, however that is written."""
    key: str
    """Changes with what lies there, and is known without reading it."""
    described: str
    """What is taken, and what is not, in a few words."""
    items: Callable[[], Iterator[Item]]
    """The images, in an order that does not change."""
    number: int | None
    """How many, where that is known beforehand."""


def natural(text: str) -> tuple[list[tuple[int, str]], str]:
    """Sorts 2 before 10; 02 and 2 differ."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)], text


def mixed(items: Sequence[Item]) -> tuple[str, Item, Item] | None:
    """What some images have and others lack, a split or a class, and one of either; None where there is no mixture."""
    for what, said in (("split", [item.split for item in items]), ("class", [item.label for item in items])):
        if None in said and any(said):
            return what, items[next(row for row, one in enumerate(said) if one)], items[said.index(None)]
    return None
