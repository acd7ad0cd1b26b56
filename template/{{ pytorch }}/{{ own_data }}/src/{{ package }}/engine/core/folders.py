"""What lies in a folder of a person's own, and what of it is not taken."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path


def walk(root: Path, skipped: set[str], left_out: Counter[str]) -> Iterator[Path]:
    """What is not hidden in a folder of any depth; links are followed, each folder once."""
    seen = set[Path]()
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        if here.resolve() in seen:
            folders.clear()
            left_out["linked twice"] += 1
            continue
        seen.add(here.resolve())
        hidden = [name for name in (*folders, *names) if name.startswith(".")]
        if hidden:
            left_out["hidden"] += len(hidden)
        folders[:] = sorted(set(folders) - {*hidden, *skipped})
        yield from (here / name for name in sorted(set(names) - {*hidden}))


def unfit(file: Path, suffixes: tuple[str, ...], seen: set[Path]) -> str:
    """Why a file is not taken; "" where it is."""
    if file.suffix.lower() not in suffixes:
        return file.suffix or "without a suffix"
    if not file.is_file():
        return "linked to nothing"
    return "linked twice" if file.resolve() in seen else ""


def place_of(path: Path) -> str:
    """A path as seen from this folder, or absolute where it lies elsewhere: one text for all ways to write it."""
    here = Path.cwd()
    for absolute in (Path(os.path.normpath(here / path)), Path(os.path.realpath(path))):
        if absolute.is_relative_to(here):
            return absolute.relative_to(here).as_posix()
    return absolute.as_posix()


def reasons(left_out: Counter[str]) -> str:
    """How many files were not taken, and why: " (left out: 2 hidden, 3 of other kinds (.md))"; "" where all were."""
    kinds = [kind for kind, _ in left_out.most_common() if kind.startswith(".")]
    others = sum(left_out[kind] for kind in kinds)
    said = [f"{count} {why}" for why, count in sorted(left_out.items()) if why not in kinds]
    if kinds:
        said.append(f"{others} of other kinds ({', '.join(kinds[:3])}{' …' * (len(kinds) > 3)})")
    return f" (left out: {', '.join(said)})" if said else ""
