"""Images brought to one size, compared, and kept on the disk: their pixels, or the places of their files.

Training reads them from there, and memory does not grow with the pixels.
"""

import json
import os
import shutil
import sys
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from ..core.cache import kept
from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..splits.dedup import Pair
from .decoding import Damaged, decoded, quiet
from .examples import sums_of
from .items import Item, Place, Source
from .on_demand import OnDemand, places_in
from .similarity import SMALL, near_pairs, perceptual_hash

FORMAT = 2
"""Rises when what is kept changes."""
PIXELS, SMALLS, SUMS, TABLE, FOUND = "pixels.u8", "small.u8", "sums.u64", "table.jsonl", "found.json"
AHEAD = 64
"""Images that are decoded before they are asked for."""
NAMED = 3
TOO_MANY = 0.1
"""A share of damaged images that is no accident."""


class Stored(NamedTuple):
    """What is kept of a source's images."""

    pixels: np.ndarray | OnDemand
    """(n, channels, size, size), uint8, on the disk."""
    pairs: list[Pair]
    """Those that are nearly equal, as `near_pairs` gives them."""
    keys: list[str]
    """A hash of each image's pixels."""
    items: list[Item]
    """Without what reads them."""
    sums: np.ndarray
    """(n, channels, 2), uint64, on the disk: what `sums_of` gives of each image."""


class Decoded(NamedTuple):
    """An image, ready to be kept."""

    pixels: np.ndarray
    hash: int
    small: np.ndarray
    key: str
    sums: np.ndarray


def stored(source: Source, size: int, channels: int, skip_damaged: bool, always: bool = False) -> Stored:
    """The images of a source, decoded and compared now or before; to be decoded `always`, or read.

    Raises:
        Problem: some are damaged and `skip_damaged` is not set, or more than a tenth of them are, or none is whole; or
            the disk has no room for their pixels.
    """
    name = fingerprint(f"{FORMAT} {source.key} {size} {channels} {skip_damaged} {always}")[:16]
    folder = kept(
        f"images-{name}",
        f"{'indexing' if always else 'decoding'} {source.described} at {size} x {size} pixels",
        lambda folder: write(folder, source, size, channels, skip_damaged, always),
    )
    found = json.loads((folder / FOUND).read_text(encoding="utf-8"))
    if found["damaged"]:
        print(f"{found['damaged']}; they are left out", file=sys.stderr)
    keys, items, known = list[str](), list[Item](), dict[str | None, str | None]()
    with (folder / TABLE).open(encoding="utf-8") as lines:
        for line in lines:
            key, name, caption, *shared = json.loads(line)
            label, split, group = (known.setdefault(said, said) for said in shared)  # one text for all that say it
            keys.append(key)
            items.append(Item(name, nothing, label, caption, split, group))
    shape = (len(keys), channels, size, size)
    return Stored(
        OnDemand(folder, shape) if always else np.memmap(folder / PIXELS, np.uint8, "r", shape=shape),
        [Pair(*pair) for pair in found["pairs"]],
        keys,
        items,
        np.memmap(folder / SUMS, np.uint64, "r", shape=(len(keys), channels, 2)),
    )


def nothing() -> bytes:
    """Stands for the content of an image that has been decoded."""
    raise AssertionError("it was decoded before")


def write(folder: Path, source: Source, size: int, channels: int, skip_damaged: bool, always: bool) -> None:
    """Decode all images of a source, and write what is kept of them into a folder."""
    damaged, hashes = list[str](), array("Q")
    if not always:
        require_room(folder, source, channels * size**2)
    with (
        quiet(),
        places_in(folder) if always else pixels_in(folder) as keep,
        (folder / SMALLS).open("wb") as small,
        (folder / SUMS).open("wb") as sums,
        (folder / TABLE).open("w", encoding="utf-8", newline="\n") as table,
    ):
        for item, image in decoded_in_order(source, size, channels):
            if isinstance(image, Damaged):
                damaged.append(f"{item.name} ({image})")
                continue
            keep(item, image.pixels)
            small.write(image.small.tobytes())
            sums.write(image.sums.tobytes())
            hashes.append(image.hash)
            row = (image.key, item.name, item.caption, item.label, item.split, item.group)
            table.write(json.dumps(row) + "\n")
    said = skipped(damaged, len(hashes), skip_damaged)
    compared = np.memmap(folder / SMALLS, np.uint8, "r", shape=(len(hashes), channels * SMALL**2))
    pairs = list(near_pairs(np.frombuffer(hashes, dtype=np.uint64), compared))
    (folder / FOUND).write_text(json.dumps({"damaged": said, "pairs": pairs}), encoding="utf-8", newline="\n")


@contextmanager
def pixels_in(folder: Path) -> Iterator[Callable[[Item, np.ndarray], object]]:
    """Writes the pixels of one image after another into a folder."""
    with (folder / PIXELS).open("wb") as file:
        yield lambda item, pixels: file.write(pixels.tobytes())


def require_room(folder: Path, source: Source, each: int) -> None:
    """Refuse images whose pixels, `each` bytes of one, have no room on the disk.

    Raises:
        Problem: it is so.
    """
    number = sum(1 for _ in source.items()) if source.number is None else source.number
    needed, free = number * each, shutil.disk_usage(folder).free
    if needed > free:
        whole = isinstance(next(source.items()).read, Place)
        advice = "use --data.decode always, which keeps none, or a smaller --data.size"
        raise Problem(
            f"the pixels of {number} images need {needed:,} bytes, and {free:,} are free on this disk: "
            + (advice if whole else "use a smaller --data.size")
        )


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
        return Decoded(pixels, *perceptual_hash(pixels), fingerprint(pixels.tobytes()), sums_of(pixels))

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
