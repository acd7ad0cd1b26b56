"""Writing files that a crash leaves whole: the old content or the new, never a part."""

import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between two attempts to rename."""


def write_atomically(file: Path, content: str | bytes) -> None:
    """Replace a file's content; of two processes that do so at once, the last one's stays."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(content.encode() if isinstance(content, str) else content)
            handle.flush()
            os.fsync(handle.fileno())
        replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def lines_of(file: Path) -> list[str]:
    """The lines of a file of JSON Lines. A newline alone ends one: other characters that do may stand in a text.

    Raises:
        UnicodeDecodeError: it is not UTF-8, with or without the mark at its beginning that Windows may write.
    """
    content = file.read_bytes().decode("utf-8-sig")
    return content.removesuffix("\n").split("\n") if content else []


def save_figure(figure: "Figure", file: Path) -> None:
    """Write a plot as PNG, atomically."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150)
    write_atomically(file, image.getvalue())


def replace(source: Path, target: Path) -> None:
    """Rename, over what is there. On Windows a virus scanner may hold a new file for a moment: then try again."""
    for pause in PAUSES:
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    source.replace(target)


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk; Windows opens no folder, and syncs no list."""
    folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except PermissionError:
        if not folder:
            raise
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """Wait until a folder and all its files are on the disk, with the permissions that new files have."""
    for path in (*folder.rglob("*"), folder):
        if path.is_file():
            like_new(path)
        sync(path)


def like_new(file: Path) -> None:
    """Give a file the permissions of a new one: some libraries leave what they write to this account alone."""
    mask = os.umask(0o077)
    os.umask(mask)
    file.chmod(0o666 & ~mask)
