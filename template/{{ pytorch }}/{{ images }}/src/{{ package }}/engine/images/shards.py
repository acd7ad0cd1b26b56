"""WebDataset's tar files: members of one key, such as 0017.jpg, 0017.cls and 0017.txt, are one example."""

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.folders import place_of, reasons, unfit, walk
from .items import SPLIT_NAMES, SUFFIXES, Item, Place, Source

LABELS, CAPTIONS = ("cls", "label"), ("txt", "caption")


def shards_in(root: Path) -> list[Path]:
    """The .tar files in a folder that are not hidden."""
    return sorted(file for file in root.glob("*.tar") if not file.name.startswith("."))


def source_of(root: Path) -> Source:
    """The examples of a .tar file, or of all in a folder; those of val-0001.tar are for validation.

    Raises:
        Problem: only some have a split in their names; and, while they are read, one is no whole tar file, or a key
            occurs twice.
    """
    left_out = Counter[str]()
    shards = shards_in(root) if root.is_dir() else [root]
    for file in walk(root, set(), left_out):  # nothing, in what is no folder
        if file not in shards:
            left_out[unfit(file, (".tar",), set()) or "in folders below"] += 1
    status = [(shard.name, shard.stat().st_size, shard.stat().st_mtime_ns) for shard in shards]
    splits = {split_of(shard) for shard in shards}
    if None in splits and len(splits) > 1:
        raise Problem(f"{root}: some .tar files have a split (train, val, test) in their names and others do not")
    place, described = place_of(root), f"{len(shards)} .tar files{reasons(left_out)}"
    return Source(place, fingerprint(repr((place, status))), described, partial(items_of, shards), None)


def split_of(shard: Path) -> str | None:
    """The split in a file's name, such as cats-train-0001.tar."""
    return next((SPLIT_NAMES[part] for part in re.split(r"[-_.]", shard.stem.lower()) if part in SPLIT_NAMES), None)


def items_of(shards: list[Path]) -> Iterator[Item]:
    """The examples of these files; one without an image is none."""
    seen = dict[tuple[str | None, str], Path]()
    for shard in shards:
        for key, parts in examples(shard):
            place = (split_of(shard), key)
            if place in seen:
                raise Problem(f"the key {key} occurs in {seen[place]} and again in {shard}: a key is one example")
            seen[place] = shard
            image = next((part for suffix, part in parts.items() if f".{suffix}" in SUFFIXES), None)
            if image is not None:
                yield item_of(shard, key, image, parts)


def examples(shard: Path) -> Iterator[tuple[str, dict[str, Place]]]:
    """Each key of a file, and its parts by their suffixes: what stands behind the first dot of the name.

    Raises:
        Problem: the file is no tar file, is cut, or holds a member twice.
    """
    key, parts = "", dict[str, Place]()
    for name, member in members(shard):
        folder, slash, base = name.rpartition("/")
        stem, _, suffix = base.partition(".")
        if folder + slash + stem != key and parts:
            yield key, parts
            parts = {}
        key, suffix = folder + slash + stem, suffix.lower()
        if suffix in parts:
            raise Problem(f"{name} occurs twice in {shard}: a key is one example")
        parts[suffix] = member
    if parts:
        yield key, parts


def members(shard: Path) -> Iterator[tuple[str, Place]]:
    """The files in a tar file that are not hidden.

    Raises:
        Problem: the file is no tar file, or is cut.
    """
    try:
        with tarfile.open(shard, "r:") as archive, shard.open("rb") as file:
            for member in archive:
                if member.isfile() and not member.name.rpartition("/")[2].startswith("."):
                    yield member.name, Place(str(shard), member.offset_data, member.size)
            file.seek(archive.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # for tarfile, any damage is the end
                raise tarfile.ReadError(f"it is damaged or cut at byte {archive.offset}")
    except (tarfile.TarError, OSError) as error:
        raise Problem(f"{shard} is not a whole, uncompressed .tar file: {error}") from None


def item_of(shard: Path, key: str, image: Place, parts: dict[str, Place]) -> Item:
    """What an example's parts say of its image."""

    def text(suffixes: tuple[str, ...]) -> str | None:
        said = next((parts[suffix]() for suffix in suffixes if suffix in parts), None)
        return None if said is None else said.decode(errors="replace").strip() or None

    further = json_of(shard, key, parts["json"]) if "json" in parts else {}
    label, caption = text(LABELS) or further.get("label"), text(CAPTIONS) or further.get("caption")
    group = further.get("group")
    return Item(
        f"{shard.name}/{key}",
        image,
        None if label is None else str(label),
        None if caption is None else str(caption),
        split_of(shard),
        None if group is None else str(group),
    )


def json_of(shard: Path, key: str, part: Place) -> dict[str, object]:
    """The object in an example's .json."""
    try:
        found = json.loads(part())
    except (ValueError, RecursionError) as error:
        raise Problem(f"{shard}, {key}.json is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Problem(f"{shard}, {key}.json holds no object")
    return found
