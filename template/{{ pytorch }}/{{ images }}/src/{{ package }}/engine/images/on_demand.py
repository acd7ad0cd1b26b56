"""Images that are decoded whenever they are asked for: what is kept of each is the place of its file."""

import os
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ..core.errors import Problem
from .decoding import Damaged, decoded, quiet
from .items import Item, Place

PLACES, PATHS = "places.i64", "paths.u8"
"""For each image, where its file's path begins and ends among all paths, and its offset and size in that file."""


@contextmanager
def places_in(folder: Path) -> Iterator[Callable[[Item, np.ndarray], object]]:
    """Writes the place of one image after another into a folder."""
    with (folder / PLACES).open("wb") as places, (folder / PATHS).open("wb") as paths:
        last, start, end = "", 0, 0

        def keep(item: Item, pixels: np.ndarray) -> None:
            nonlocal last, start, end
            if not isinstance(item.read, Place):
                raise Problem(
                    f"{item.name} is no file and no part of a .tar file, to be read whenever it is drawn: "
                    "use --data.decode once"
                )
            if item.read.file != last:  # all of a shard share its path
                last = item.read.file
                start, end = end, end + paths.write(os.fsencode(last))
            places.write(struct.pack("=4q", start, end, item.read.offset, item.read.size))

        yield keep


@dataclass(frozen=True)
class OnDemand:
    """Pixels, (n, channels, size, size), uint8, of the images whose places are kept in a folder.

    Rows are had as from an array. Another process is sent the folder's name.
    """

    folder: Path
    shape: tuple[int, int, int, int]
    dtype: ClassVar[np.dtype[np.uint8]] = np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """The pixels of one row, (channels, size, size), or of several, decoded on as many threads as PyTorch has.

        Raises:
            Problem: a file is no longer what it was when its place was written down.
        """
        found = np.memmap(self.folder / PLACES, np.int64, "r").reshape(-1, 4)[rows]
        paths = np.memmap(self.folder / PATHS, np.uint8, "r")
        places = [
            Place(os.fsdecode(paths[start:end].tobytes()), offset, size)
            for start, end, offset, size in found.reshape(-1, 4).tolist()
        ]
        pixels = np.empty((len(places), *self.shape[1:]), np.uint8)

        def fill(row: int) -> None:
            pixels[row] = self.image(places[row])

        # No pool is kept: its threads would be missing in a loader's process, which is a copy of this one.
        with quiet(), ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(fill, range(len(places))))
        return pixels.reshape(*found.shape[:-1], *self.shape[1:])

    def image(self, place: Place) -> np.ndarray:
        """The pixels of the image at a place."""
        try:
            return decoded(place(), self.shape[-1], self.shape[1])
        except (Damaged, OSError) as error:
            why = f"{place.file} changed while it was used ({error}): restore it, or start again without it"
            raise Problem(why) from None
