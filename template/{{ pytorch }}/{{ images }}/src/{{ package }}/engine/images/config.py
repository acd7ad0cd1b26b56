"""The fields that say which images."""

from dataclasses import dataclass
from typing import Literal

from ..core.errors import Problem

LARGEST = 1024
"""Pixels along the side of the largest image that is kept."""


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """Which images."""

    path: str | None = None
    """A folder with a folder of images for each class, a .csv or .parquet with the columns path and label, .tar files,
    or hf:owner/name; scikit-learn's digits where none is named."""
    size: int = 32
    """Pixels along the side that images of your own are brought to; the digits have 8."""
    grey: bool = False
    """Take images of your own without their colours."""
    decode: Literal["once", "always"] = "once"
    """once: the pixels of your own images are kept in .cache/; always: an image is decoded whenever it is drawn, by
    --train.num-workers ahead of the step. The results are the same."""
    skip_damaged: bool = False
    """Leave out what cannot be decoded, instead of naming it and stopping."""
    classes: tuple[str, ...] = ()
    """Only these classes; all where none is named."""
    split: Literal["stratified", "writers"] = "stratified"
    """stratified: each class has its share of each split; writers: of the digits, strangers' writing is held out."""

    def __post_init__(self) -> None:
        if not 8 <= self.size <= LARGEST:
            raise Problem(f"--data.size {self.size} must be 8 to {LARGEST} pixels")
        if self.path is not None and self.split == "writers":
            raise Problem("--data.split writers goes with the digits: name groups of your own images in a manifest")
        if len(set(self.classes)) == 1:
            raise Problem(f"--data.classes {self.classes[0]} must be at least two classes: one needs no telling apart")
