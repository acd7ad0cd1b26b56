"""Arrays to files that people look at."""

from pathlib import Path

import numpy as np
from PIL import Image

from ..core.errors import Problem


def write(images: np.ndarray, folder: Path, names: list[str]) -> list[Path]:
    """Images, (n, channels, Y, X) from 0 to 1, as .png files of these names in a folder, which is made.

    Raises:
        Problem: the folder cannot be written into.
    """
    files = [folder / f"{name}.png" for name in names]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for image, file in zip(images, files, strict=True):
            pixels = np.rint(image * 255).astype(np.uint8)
            Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file)
    except OSError as error:
        raise Problem(f"cannot write into {folder}: {error.strerror or error}") from None
    return files
