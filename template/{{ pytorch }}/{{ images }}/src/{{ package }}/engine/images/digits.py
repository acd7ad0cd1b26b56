"""scikit-learn's handwritten digits, which need no download.

An image is 8 x 8 pixels. This copy is the test set of UCI's Optical Recognition of Handwritten Digits (Alpaydin &
Kaynak 1998), which 13 people wrote. The file does not name them, but it is in the order of their forms: its labels
repeat one sequence of about 130 digits fourteen times.
"""

import numpy as np
from sklearn.datasets import load_digits

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..splits.dedup import correlated, joined
from ..splits.division import Division
from ..splits.splits import SPLITS, Entry, lock
from .config import ImageConfig
from .examples import Facts, ImageData, Images
from .placing import in_its_last_split, shared, stratified

BRIGHTEST = 16
"""The largest value of a pixel."""
SIDE = 8
"""Pixels along an image."""
CLASSES = tuple("0123456789")
ALIKE = 0.985
"""Images that correlate as much are one: six pairs of the digits, and no two of different digits exceed 0.94."""
SHARES = (0.6, 0.8)
"""Where a class's validation and test images begin. A fifth is 360 images: one is 0.3 % of them."""
FORMS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
"""Where each form begins."""
HELD_OUT = (8, 11)
"""The first form for validation and the first for the test: eight are for training, and three for each of these."""


def digits(config: ImageConfig, division: Division | None = None) -> ImageData:
    """The digits, or those of some classes; an image's split does not depend on the classes.

    Raises:
        Problem: they are not those of `data.lock.json`, or a class is no digit.
    """
    unknown = set(config.classes) - set(CLASSES)
    if unknown:
        raise Problem(f"--data.classes {' '.join(sorted(unknown))}: the data have {', '.join(CLASSES)}")
    values, y = load_digits(return_X_y=True)
    pixels = values.astype(np.uint8).reshape(-1, 1, SIDE, SIDE)
    x = (values / BRIGHTEST).astype(np.float32)
    keys = [fingerprint(image.tobytes()) for image in x]
    pairs = correlated(x, ALIKE)
    groups = np.array(joined(keys, pairs))
    sides = stratified(groups, y, SHARES) if config.split == "stratified" else by_writer(len(y))
    if division:
        sides = divided(division, config.split, groups, sides, y)
    whole = in_its_last_split(groups, sides) & np.isin(sides, SPLITS)
    kept = whole & np.isin(y, [int(digit) for digit in config.classes or CLASSES])
    rows = {name: np.flatnonzero(kept & (sides == name)) for name in SPLITS}
    content = b"".join(x[of].tobytes() + y[of].tobytes() for of in rows.values())
    source = f"scikit-learn's digits{''.join(f' {digit}' for digit in sorted(config.classes))}, {config.split}"
    sizes = {name: len(of) for name, of in rows.items()}
    digest = lock(source, [Entry("digits", len(content), fingerprint(content), sizes)], division)
    splits = {name: Images(pixels, of, y[of], BRIGHTEST) for name, of in rows.items()}
    # From 0 to 1 as they are: a digit's brightness says what the pen did, and there is nothing to fit.
    facts = Facts(CLASSES, 1, SIDE, (0.0,), (1.0,))
    names = [f"image {row}" for row in range(len(y))]
    rule = f"correlation of pixels at least {ALIKE}"
    return ImageData(splits, facts, digest, shared(names, whole, sides, keys, groups, pairs, rule))


def by_writer(count: int) -> np.ndarray:
    """The split of each image: whole forms, in the order of the file."""
    return np.array(SPLITS, dtype=object)[np.searchsorted(HELD_OUT, forms(count), side="right")]


def forms(count: int) -> np.ndarray:
    """The number of the form of each of so many images."""
    return np.searchsorted(FORMS, np.arange(count), side="right") - 1


def divided(division: Division, split: str, groups: np.ndarray, sides: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sides that an experiment chose instead: of whole groups, as many of each class, or of whole forms."""
    units, strata = (groups, y) if split == "stratified" else (forms(len(y)).astype(str), np.zeros_like(y))
    return np.array(division.deal(units.tolist(), sides.tolist(), strata.tolist()), dtype=object)
