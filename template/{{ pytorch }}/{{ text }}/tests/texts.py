"""Text that this machine has."""

import shutil
import sysconfig
from functools import cache
from pathlib import Path

import numpy as np

MODULES = 160


@cache
def modules() -> list[Path]:
    """Short modules of the standard library's packages, without those that were installed beside it."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*/*.py"))
    return [file for file in files if file.parent.name != "site-packages" and 200 < file.stat().st_size < 2500][
        :MODULES
    ]


def put_into(folder: Path) -> Path:
    """A new folder `text` in there, with a document for each of them."""
    text = folder / "text"
    text.mkdir(exist_ok=True)
    for number, file in enumerate(modules()):
        shutil.copyfile(file, text / f"{number}.txt")
    return text


def write_documents(folder: Path, count: int, words: int = 40) -> None:
    """Documents of words that are drawn, called 0.txt and so on."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        (folder / f"{number}.txt").write_bytes(" ".join(f"w{n}" for n in rng.integers(0, 99, words)).encode() + b"\n")


def write_near_copies(folder: Path) -> None:
    """60 documents, and a copy of each that differs in a word, in a comment, and in white space."""
    write_documents(folder, 60)
    for number in range(60):
        words = (folder / f"{number}.txt").read_text().split()
        (folder / f"copy-{number}.txt").write_text("\n".join(["# changed", *words[:20], "another", *words[21:]]))
