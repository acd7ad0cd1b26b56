"""A person's own images, from their source to the splits."""

import json
import math
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.folders import place_of
from ..splits.division import Division
from ..splits.splits import SPLITS, Entry, lock
from . import folders, hub, manifests, shards
from .config import ImageConfig
from .examples import Facts, ImageData, Images, spread
from .items import Source
from .placing import grouped, in_its_last_split, labelled, placed, shared
from .similarity import FAR, SHARE
from .store import Stored, stored

BRIGHTEST = 255
SHARES = (0.8, 0.9)
"""Where the validation and the test images of a class begin, where a source has no splits of its own."""


def source_of(path: str) -> Source:
    """What `--data.path` names.

    Raises:
        Problem: it is missing, of another kind, or holds no image.
    """
    if path.startswith("hf:"):
        return hub.source_of(path)
    if not Path(path).exists():
        raise Problem(f"{path} does not exist: --data.path takes a folder, .csv, .parquet, .tar or hf:owner/name")
    root = Path(place_of(Path(path)))  # the files are found from here by another run, however it writes the path
    if root.suffix.lower() in (".csv", ".parquet"):
        return manifests.source_of(root)
    if root.suffix.lower() == ".tar" or shards.shards_in(root):
        return shards.source_of(root)
    if not root.is_dir():
        raise Problem(f"{root} is no folder of images, no .csv, no .parquet and no .tar")
    return folders.source_of(root)


def read(config: ImageConfig, division: Division | None = None) -> ImageData:
    """The images at `config.path`, decoded, grouped and split; of the classes that the configuration names, if any.

    Raises:
        Problem: they cannot be read, are not those of `data.lock.json`, or leave a split empty.
    """
    assert config.path is not None
    source = source_of(config.path)
    channels = 1 if config.grey else 3
    images = stored(source, config.size, channels, config.skip_damaged, config.decode == "always")
    names, y = labelled(images.items, config.classes)
    groups = grouped(images.keys, images.pairs, images.items)
    sides = placed(groups, y, images.items, SHARES)
    whole = in_its_last_split(groups, sides)
    wanted = np.isin(y, [names.index(name) for name in config.classes]) if config.classes else np.ones_like(whole)
    dropped = int((wanted & ~whole).sum())
    if division:  # of groups that lie in one split, whatever was held out
        sides[whole] = division.deal(groups[whole].tolist(), sides[whole].tolist(), y[whole].tolist())
        whole &= np.isin(sides, SPLITS)
    rows = {name: np.flatnonzero(whole & wanted & (sides == name)) for name in SPLITS}
    for name, of in rows.items():
        if not len(of):
            why = (
                f"{dropped} are left out, nearly equal to held-out ones"
                if dropped
                else "some ten of each class would do"
            )
            raise Problem(f"{source.name} leaves no image for the {name} split: {why}")
    what = f"{config.size} pixels{', grey' * config.grey}{''.join(f' {name}' for name in sorted(config.classes))}"
    digest = lock(f"{source.name}, {what}", entries(images, names, y, rows), division)
    if division is None:
        describe(source, names, y, rows, dropped)
    captions = {split: tuple(images.items[row].caption or "" for row in of.tolist()) for split, of in rows.items()}
    splits = {split: Images(images.pixels, of, y[of], BRIGHTEST, captions[split]) for split, of in rows.items()}
    facts = Facts(names, channels, config.size, *spread(images.sums[rows["train"]], config.size**2, BRIGHTEST))
    rule = f"correlation of small images at least {SHARE}, perceptual hashes that differ in fewer than {FAR} bits"
    found = shared([item.name for item in images.items], whole, sides, images.keys, groups, images.pairs, rule)
    return ImageData(splits, facts, digest, found)


def entries(images: Stored, names: tuple[str, ...], y: np.ndarray, rows: dict[str, np.ndarray]) -> list[Entry]:
    """What the lock records of each class: the bytes of its pixels, a hash of them and of the captions, and counts."""
    found, size = [], math.prod(images.pixels.shape[1:])
    for label in np.unique(np.concatenate([y[of] for of in rows.values()])).tolist():
        parts = {
            split: sorted((images.keys[row], images.items[row].caption or "") for row in of[y[of] == label].tolist())
            for split, of in rows.items()
        }
        counts = {split: len(part) for split, part in parts.items()}
        name = names[label] if names else "images"
        found.append(Entry(name, size * sum(counts.values()), fingerprint(json.dumps(parts)), counts))
    return found


def describe(source: Source, names: tuple[str, ...], y: np.ndarray, rows: dict[str, np.ndarray], dropped: int) -> None:
    """Print what was read, once."""
    sizes = ", ".join(f"{len(of)} {split}" for split, of in rows.items())
    counts = Counter(y[np.concatenate(list(rows.values()))].tolist())
    classes = f" of {len(names)} classes ({min(counts.values())} to {max(counts.values())} each)" if names else ""
    print(f"{source.name}: {source.described}{classes}; {sizes}", file=sys.stderr)
    if dropped:
        print(f"{dropped} nearly equal to held-out ones, or in one group with them, are left out", file=sys.stderr)
