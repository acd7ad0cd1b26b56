"""Pictures that tests draw."""

import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def photograph(number: int, side: int = 32) -> Image.Image:
    """Clouds of colours; those of two numbers are not alike."""
    coarse = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A file's content."""
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def lay(root: Path, *names: str, first: int = 0) -> None:
    """Photographs as files, each of another number."""
    for number, name in enumerate(names, first):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(photograph(number)))


def classes(root: Path, *labels: str, each: int = 10, first: int = 0) -> None:
    """A folder of so many photographs for each class."""
    lay(root, *(f"{label}/{number}.png" for label in labels for number in range(each)), first=first)


def pack(name: str, *members: tuple[str, bytes], mode: str = "w") -> Path:
    """A tar file of these members."""
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
    return file
