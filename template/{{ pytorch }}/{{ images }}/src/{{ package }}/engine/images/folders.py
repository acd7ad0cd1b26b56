"""A folder for each class, as torchvision's `ImageFolder` has it, perhaps below train/, val/ and test/."""

from collections import Counter
from functools import partial
from pathlib import Path

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.folders import place_of, reasons, unfit, walk
from .items import SPLIT_NAMES, SUFFIXES, Item, Place, Source, mixed, natural


def source_of(root: Path) -> Source:
    """The images below a folder. The folder below it, or below that of a split, names an image's class.

    Raises:
        Problem: there are none, or some lie in folders of splits and others do not.
    """
    files, left_out = taken(root)
    items = [item_of(root, file) for file in files]
    if mixture := mixed(items):
        what, one, other = mixture
        raise Problem(
            f"in {root}, {one.name} lies in the folder of a {what}, and {other.name} in none: move one of them"
        )
    status = [
        (item.name, (stat := file.stat()).st_size, stat.st_mtime_ns) for item, file in zip(items, files, strict=True)
    ]
    place, described = place_of(root), f"{len(files)} images{reasons(left_out)}{without_images(root, items)}"
    return Source(place, fingerprint(repr((place, status))), described, partial(iter, items), len(items))


def taken(root: Path) -> tuple[list[Path], Counter[str]]:
    """The images below a folder, in the order in which a person counts, and how many files were not taken, by why.

    Raises:
        Problem: there are none.
    """
    left_out = Counter[str]()
    files, seen = list[Path](), set[Path]()
    for file in walk(root, set(), left_out):
        if reason := unfit(file, SUFFIXES, seen):
            left_out[reason] += 1
        else:
            seen.add(file.resolve())
            files.append(file)
    if not files:
        raise Problem(f"{root} holds no image ({', '.join(SUFFIXES)}){reasons(left_out)}")
    return sorted(files, key=lambda file: natural(file.relative_to(root).as_posix())), left_out


def files_in(path: Path) -> list[Path]:
    """An image file by itself, or those below a folder.

    Raises:
        Problem: it does not exist, or holds no image.
    """
    if not path.exists():
        raise Problem(f"{path} does not exist")
    return taken(path)[0] if path.is_dir() else [path]


def without_images(root: Path, items: list[Item]) -> str:
    """The folders of splits and classes that hold none."""
    parts = [item.name.split("/") for item in items]
    used = {root / of[0] for of in parts} | {root / of[0] / of[1] for of in parts if len(of) > 2}
    parents = {root, *(root / of[0] for of, item in zip(parts, items, strict=True) if item.split)}
    empty = [
        folder.relative_to(root).as_posix()
        for parent in parents
        for folder in parent.iterdir()
        if folder.is_dir() and not folder.name.startswith(".") and folder not in used
    ]
    return f"; no image in {', '.join(sorted(empty, key=natural))}" if empty else ""


def item_of(root: Path, file: Path) -> Item:
    """What a file's place says of its image."""
    name = file.relative_to(root)
    folders = list(name.parts[:-1])
    split = SPLIT_NAMES.get(folders[0].lower()) if folders else None
    if split:
        folders.pop(0)
    return Item(name.as_posix(), Place(str(file)), label=folders[0] if folders else None, split=split)
