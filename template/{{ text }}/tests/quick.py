"""Command-line options that make a run short, on text that this machine has."""

import shutil
import sysconfig
from pathlib import Path

MODULES = 240


def arguments(folder: Path) -> list[str]:
    """Options of `train smoke` for a few seconds; the text is put into `folder`."""
    text = folder / "text"
    text.mkdir()
    modules = [
        file for file in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")) if 200 < file.stat().st_size < 2500
    ]
    for number, file in enumerate(modules[:MODULES]):
        shutil.copyfile(file, text / f"{number}.txt")
    return ["--data.path", str(text), "--train.device", "cpu"]
