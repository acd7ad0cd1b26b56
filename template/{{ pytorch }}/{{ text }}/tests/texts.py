"""Text that this machine has."""

import shutil
import sysconfig
from functools import cache
from pathlib import Path

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
