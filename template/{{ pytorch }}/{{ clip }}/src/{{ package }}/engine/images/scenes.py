"""Scenes that are drawn, and captions that describe them: real pictures and real sentences without a download.

A scene has a large shape and, mostly, a small one beside it, on a plain ground. What a caption can say of it is its
content: six attributes. A caption that leaves some of them out fits other scenes too, and those are true matches.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ..core.cache import kept
from ..core.config_io import fingerprint
from ..splits.division import Division
from ..splits.splits import SPLITS, Entry, lock
from .captions import Statements
from .examples import Facts, ImageData, Images, spread, sums_of
from .placing import in_its_last_split, shared, stratified

COUNT = 12_000
"""Scenes. There are 10,890 contents, and one that is drawn twice is drawn at another place and size."""
SEED = 2021
SIDE = 32
"""Pixels along a scene."""
FINE = 4
"""A scene is drawn so many times as large, then reduced, so that edges are smooth."""
SHARES = (0.8, 0.9)
"""Where a class's validation and test scenes begin."""
NONE = -1
"""An attribute that a scene does not have."""

SHAPES = ("circle", "square", "triangle", "cross", "ring")
COLOURS = {
    "red": (214, 40, 40),
    "green": (46, 160, 67),
    "blue": (38, 100, 220),
    "yellow": (240, 200, 30),
    "purple": (150, 60, 190),
    "orange": (245, 130, 30),
}
GROUNDS = {"black": (16, 16, 16), "grey": (128, 128, 128), "white": (240, 240, 240)}
WAYS = (
    ("to the left of", "to the right of"),
    ("to the right of", "to the left of"),
    ("above", "below"),
    ("below", "above"),
)
"""Where the small shape lies from the large one, and the large one from the small one."""
STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""The same in columns and rows."""
CLASSES = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)
"""Of the large shape: what a scene is classified by."""
SHARE_ALONE = 0.15
"""Of the scenes with one shape."""
SHARE_BRIEF, SHARE_PLACED, SHARE_GROUND = 0.1, 0.8, 0.7
"""Of the captions that tell of the large shape alone; and of those that say where the small one lies, and what the
ground is."""


class Content(NamedTuple):
    """What a caption can say of a scene, as numbers."""

    shape: int
    colour: int
    small_shape: int
    small_colour: int
    way: int
    ground: int


def scenes(division: Division | None = None) -> tuple[ImageData, Statements]:
    """The scenes, split, and what their captions say. Scenes of one content lie in one split.

    Raises:
        Problem: they are not those of `data.lock.json`, or cannot be kept.
    """
    folder = kept(f"scenes-{COUNT}-{SEED}", f"drawing {COUNT} scenes", write)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    table = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    contents, said = np.array(table["contents"]), np.array(table["said"], dtype=bool)
    y = contents[:, 0] * len(COLOURS) + contents[:, 1]
    keys = [fingerprint(scene.tobytes()) for scene in pixels]
    groups = np.array([fingerprint(json.dumps(content)) for content in table["contents"]], dtype=object)
    sides = stratified(groups, y, SHARES)
    if division:
        sides = np.array(division.deal(groups.tolist(), sides.tolist(), y.tolist()), dtype=object)
    whole = in_its_last_split(groups, sides) & np.isin(sides, SPLITS)
    rows = {name: np.flatnonzero(whole & (sides == name)) for name in SPLITS}
    parts = {
        name: fingerprint(json.dumps([[keys[row], table["captions"][row]] for row in of])) for name, of in rows.items()
    }
    counts = {name: len(of) for name, of in rows.items()}
    digest = lock("drawn scenes", [Entry("scenes", pixels.nbytes, fingerprint(json.dumps(parts)), counts)], division)
    captions = {name: tuple(table["captions"][row] for row in of.tolist()) for name, of in rows.items()}
    splits = {name: Images(pixels, of, y[of], 255, captions[name]) for name, of in rows.items()}
    sums = np.stack([sums_of(pixels[row]) for row in rows["train"].tolist()])
    facts = Facts(CLASSES, 3, SIDE, *spread(sums, SIDE**2, 255))
    names = [f"scene {row}" for row in range(len(y))]
    found = shared(names, whole, sides, keys, groups, [], "scenes of which a caption can say nothing different")
    return ImageData(splits, facts, digest, found), Statements(contents, said)


def write(folder: Path) -> None:
    """Draw all scenes, and describe each, into a folder."""
    noise = np.random.default_rng(SEED)
    table: dict[str, list[object]] = {"contents": [], "captions": [], "said": []}
    pixels = np.empty((COUNT, 3, SIDE, SIDE), np.uint8)
    for row, content in enumerate(drawn(noise)):
        pixels[row] = picture(content, noise)
        caption, said = describe(content, noise)
        for column, value in zip(table.values(), (list(content), caption, said), strict=True):
            column.append(value)
    np.save(folder / "pixels.npy", pixels)
    (folder / "captions.json").write_text(json.dumps(table), encoding="utf-8", newline="\n")


def drawn(noise: np.random.Generator) -> Iterator[Content]:
    """The contents of the scenes."""
    for _ in range(COUNT):
        shape, small_shape = noise.integers(len(SHAPES), size=2).tolist()
        colour, small_colour = noise.integers(len(COLOURS), size=2).tolist()
        way, ground = int(noise.integers(len(WAYS))), int(noise.integers(len(GROUNDS)))
        if noise.random() < SHARE_ALONE:
            small_shape = small_colour = way = NONE
        yield Content(shape, colour, small_shape, small_colour, way, ground)


def picture(content: Content, noise: np.random.Generator) -> np.ndarray:
    """A scene of this content, (3, SIDE, SIDE), uint8: places, sizes and shades vary."""
    image = Image.new("RGB", (SIDE * FINE, SIDE * FINE), shade(list(GROUNDS.values())[content.ground], noise))
    draw, centre = ImageDraw.Draw(image), SIDE / 2 + noise.uniform(-2, 2, 2)
    if content.way == NONE:
        centre += noise.uniform(-4, 4, 2)
    else:
        step = np.array(STEPS[content.way])
        centre -= 4.5 * step
        beside = centre + step * noise.uniform(13, 15) + step[::-1] * noise.uniform(-4, 4)
        place(draw, content.small_shape, content.small_colour, beside, noise.uniform(3.2, 4.2), noise)
    place(draw, content.shape, content.colour, centre, noise.uniform(6.5, 8.0), noise)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX)).transpose(2, 0, 1)


def shade(colour: tuple[int, ...], noise: np.random.Generator) -> tuple[int, ...]:
    """A little lighter or darker."""
    return tuple(np.clip(np.array(colour) + noise.integers(-14, 15), 0, 255).tolist())


def place(
    draw: ImageDraw.ImageDraw, shape: int, colour: int, centre: np.ndarray, radius: float, noise: np.random.Generator
) -> None:
    """Draw a shape; `centre`, column and row, and `radius` are in pixels of the scene."""
    (x, y), r = centre * FINE, radius * FINE
    fill = shade(list(COLOURS.values())[colour], noise)
    match SHAPES[shape]:
        case "circle":
            draw.ellipse((x - r, y - r, x + r, y + r), fill)
        case "square":
            draw.rectangle((x - 0.85 * r, y - 0.85 * r, x + 0.85 * r, y + 0.85 * r), fill)
        case "triangle":
            draw.polygon([(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)], fill)
        case "cross":
            draw.rectangle((x - r, y - 0.3 * r, x + r, y + 0.3 * r), fill)
            draw.rectangle((x - 0.3 * r, y - r, x + 0.3 * r, y + r), fill)
        case _:
            draw.ellipse((x - r, y - r, x + r, y + r), outline=fill, width=round(0.45 * r))


def chosen(noise: np.random.Generator, *words: str) -> str:
    """One of the words."""
    return words[int(noise.integers(len(words)))]


def describe(content: Content, noise: np.random.Generator) -> tuple[str, list[bool]]:
    """A sentence about a scene, and which attributes it tells."""
    one_of = partial(chosen, noise)
    colours, alone, brief = list(COLOURS), content.way == NONE, noise.random() < SHARE_BRIEF
    placed, grounded = noise.random() < SHARE_PLACED, noise.random() < SHARE_GROUND
    large = one_of("", "large ", "big ") + f"{colours[content.colour]} {SHAPES[content.shape]}"
    if brief:
        text = f"a {one_of('large', 'big')} {colours[content.colour]} {SHAPES[content.shape]}"
    elif alone:
        text = one_of(f"a lone {large}", f"a {large} and nothing else", f"only a {large}")
    else:
        small = one_of("small ", "little ", "tiny ") + f"{colours[content.small_colour]} {SHAPES[content.small_shape]}"
        from_large, from_small = WAYS[content.way] if placed else ("and", "and")
        text = one_of(f"a {small} {from_large} a {large}", f"a {large} {from_small} a {small}")
    if grounded:
        ground = list(GROUNDS)[content.ground]
        text = one_of(f"{text} on a {ground} background", f"{text} on {ground}", f"on a {ground} background, {text}")
    told = [True, True, not brief, not brief, not brief and (alone or placed), grounded]
    # "an orange ring", where nothing stands between.
    return text.replace("a orange", "an orange"), told
