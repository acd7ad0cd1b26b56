"""Images decoded once to one size, and kept on the disk: training reads pixels, and memory does not grow with them."""

import json
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from ..core.cache import kept
from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..splits.dedup import Pair
from .decoding import Damaged, decoded, quiet
from .items import Item, Source
from .similarity import SMALL, near_pairs, perceptual_hash

FORMAT = 1
"""Rises when what is kept changes."""
AHEAD = 64
"""Images that are decoded before they are asked for."""
NAMED = 3
TOO_MANY = 0.1
"""A share of damaged images that is no accident."""


class Stored(NamedTuple):
    """What is kept of a source's images."""

    pixels: np.ndarray
    """(n, channels, size, size), uint8, on the disk."""
    pairs: list[Pair]
    """Those that are nearly equal, as `near_pairs` gives them."""
    keys: list[str]
    """A hash of each image's pixels."""
    items: list[Item]
    """Without what reads them."""


class Decoded(NamedTuple):
    """An image, ready to be kept."""

    pixels: np.ndarray
    hash: int
    small: np.ndarray
    key: str


def stored(source: Source, size: int, channels: int, skip_damaged: bool) -> Stored:
    """The images of a source, decoded and compared now or before.

    Raises:
        Problem: some are damaged and `skip_damaged` is not set, or more than a tenth of them are, or none is whole.
    """
    name = fingerprint(f"{FORMAT} {source.key} {size} {channels} {skip_damaged}")[:16]
    folder = kept(
        f"images-{name}",
        f"decoding {source.described} to {size} x {size} pixels",
        lambda folder: write(folder, source, size, channels, skip_damaged),
    )
    table = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    if table["damaged"]:
        print(f"{table['damaged']}; they are left out", file=sys.stderr)
    count = len(table["keys"])
    columns = (table[name] for name in ("names", "labels", "captions", "splits", "groups"))
    items = [Item(name, nothing, *further) for name, *further in zip(*columns, strict=True)]
    return Stored(
        np.memmap(folder / "pixels.u8", np.uint8, "r", shape=(count, channels, size, size)),
        [Pair(*pair) for pair in table["pairs"]],
        table["keys"],
        items,
    )


def nothing() -> bytes:
    """Stands for the content of an image that has been decoded."""
    raise AssertionError("it was decoded before")


def write(folder: Path, source: Source, size: int, channels: int, skip_damaged: bool) -> None:
    """Decode all images of a source into a folder."""
    columns: dict[str, list[Any]] = {name: [] for name in ("names", "labels", "captions", "splits", "groups", "keys")}
    damaged, hashes = list[str](), list[int]()
    with quiet(), (folder / "pixels.u8").open("wb") as pixels, (folder / "small.u8").open("wb") as small:
        for item, image in decoded_in_order(source, size, channels):
            if isinstance(image, Damaged):
                damaged.append(f"{item.name} ({image})")
                continue
            pixels.write(image.pixels.tobytes())
            small.write(image.small.tobytes())
            hashes.append(image.hash)
            row = (item.name, item.label, item.caption, item.split, item.group, image.key)
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    said = skipped(damaged, len(hashes), skip_damaged)
    compared = np.memmap(folder / "small.u8", np.uint8, "r", shape=(len(hashes), channels * SMALL**2))
    pairs = list(near_pairs(np.array(hashes, dtype=np.uint64), compared))
    table = json.dumps(columns | {"damaged": said, "pairs": pairs})
    (folder / "table.json").write_text(table, encoding="utf-8", newline="\n")


def skipped(damaged: list[str], whole: int, skip: bool) -> str:
    """How many images could not be decoded, and the names of some; "" where all could.

    Raises:
        Problem: they are not to be skipped, or they are too many, or no image is whole.
    """
    named = ""
    if damaged:
        more = f" and {len(damaged) - NAMED} more" if len(damaged) > NAMED else ""
        named = f"{len(damaged)} of {whole + len(damaged)} images are damaged: {', '.join(damaged[:NAMED])}{more}"
        if not skip:
            raise Problem(f"{named}. Replace or remove them, or leave them out with --data.skip-damaged")
        if len(damaged) > TOO_MANY * (whole + len(damaged)):
            raise Problem(f"{named}. More than {TOO_MANY:.0%} is no accident: see whether the files were copied whole")
    if not whole:
        raise Problem("there is no image to learn from")
    return named


def decoded_in_order(source: Source, size: int, channels: int) -> Iterator[tuple[Item, Decoded | Damaged]]:
    """Each image with its pixels, on several threads within `quiet`, with a bar where there is a terminal."""

    def ready(item: Item) -> Decoded | Damaged:
        try:
            pixels = decoded(item.read(), size, channels)
        except Damaged as damage:
            return damage
        except OSError as error:
            return Damaged(error.strerror or str(error))
        return Decoded(pixels, *perceptual_hash(pixels), fingerprint(pixels.tobytes()))

    waiting = deque[tuple[Item, Future[Decoded | Damaged]]]()
    console = Console(stderr=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        items: Iterable[Item] = source.items()
        if console.is_terminal:
            items = track(items, "decoding", source.number, console=console, transient=True)
        for item in items:
            waiting.append((item, pool.submit(ready, item)))
            if len(waiting) > AHEAD:
                first, done = waiting.popleft()
                yield first, done.result()
        for first, done in waiting:
            yield first, done.result()
