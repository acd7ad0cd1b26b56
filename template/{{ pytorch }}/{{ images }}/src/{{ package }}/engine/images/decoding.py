"""A file's content to pixels: Pillow decodes, and what is unusual is made usual, in training and in `predict` alike."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

BACKGROUND = 255
"""What transparent pixels lie on: white."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""What is tried, whatever a file is called: for some others Pillow starts programs."""


class Damaged(Exception):
    """A file that is no whole image; the message says why."""


def decode(content: bytes, size: int, channels: int) -> np.ndarray:
    """Pixels, (channels, size, size), uint8: grey for one channel, red, green and blue for three.

    Turned as its EXIF tag says, 16 bits scaled to 8, transparency on white; the largest square in the middle of the
    image is brought to the size, antialiased.

    Raises:
        Damaged: it cannot be decoded.
    """
    with quiet():
        return decoded(content, size, channels)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings, of odd tags and of sizes that it takes all the same.

    Filters of warnings belong to the process, so several threads that decode share one that their starter entered.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decoded(content: bytes, size: int, channels: int) -> np.ndarray:
    """The same as `decode`, for threads that `quiet` is around.

    Raises:
        Damaged: it cannot be decoded.
    """
    mode = "RGB" if channels == 3 else "L"
    try:
        # It refuses an image whose header claims more pixels than a camera has: one is made to fill the memory.
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            image.draft(mode, (2 * size, 2 * size))  # a JPEG can skip detail
            shown = usual(ImageOps.exif_transpose(image)).convert(mode)
        pixels = np.asarray(ImageOps.fit(shown, (size, size), Image.Resampling.BICUBIC))
    except Image.UnidentifiedImageError:
        raise Damaged(f"it is none of {', '.join(FORMATS)}" if content else "it is empty") from None
    except Damaged:
        raise
    except Exception as error:  # Pillow's plugins raise many kinds for a damaged file
        raise Damaged(str(error) or type(error).__name__) from None
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def usual(image: Image.Image) -> Image.Image:
    """The image in a mode that converts to grey and to RGB without loss of what is seen.

    Raises:
        Damaged: its brightness is neither from 0 to 65,535 nor, with fractions, from 0 to 1.
    """
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        brightest = 1 if image.mode == "F" else 65535
        if not ((values >= 0) & (values <= brightest)).all():  # and not a number is neither
            raise Damaged(f"its brightness is from {values.min():g} to {values.max():g}, and not from 0 to {brightest}")
        return Image.fromarray((values * (255 / brightest)).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        shown = image.convert("RGBA")
        ground = Image.new("RGBA", shown.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        return Image.alpha_composite(ground, shown).convert("RGB")
    return image
