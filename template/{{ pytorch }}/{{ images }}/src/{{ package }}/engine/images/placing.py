"""Which split an image lies in: as its source says, else by class and by groups of what belongs together."""

from collections.abc import Sequence

import numpy as np

from ..core.errors import Problem
from ..splits.dedup import Pair, joined
from ..splits.leakage import Leakage, Sample, compare
from ..splits.splits import SPLITS
from .items import Item, mixed, natural

NO_CLASS = -1


def grouped(keys: Sequence[str], pairs: Sequence[Pair], items: Sequence[Item]) -> np.ndarray:
    """The group of each image: what is nearly equal, or was given one group, however many lie between."""
    first = dict[str, int]()
    given = [
        Pair(first[item.group], row, 1.0)
        for row, item in enumerate(items)
        if item.group is not None and first.setdefault(item.group, row) != row
    ]
    return np.array(joined(keys, [*pairs, *given]), dtype=object)


def placed(groups: np.ndarray, y: np.ndarray, items: Sequence[Item], shares: tuple[float, float]) -> np.ndarray:
    """The split of each image; one that the source does not have takes its share of the training images.

    Raises:
        Problem: only some images have a split, or none of them is for training.
    """
    if mixture := mixed(items):
        what, one, other = mixture
        raise Problem(f"{one.name} has a {what}, and {other.name} has none: give each one, or none")
    given = np.array([item.split or "train" for item in items], dtype=object)
    missing = set(SPLITS) - set(given)
    if "train" in missing:
        raise Problem(
            f"all {len(items)} images are held out ({' and '.join(sorted(set(given)))}): add some for training"
        )
    if len(missing) == 2:
        return stratified(groups, y, shares)
    if missing:
        # What is nearly equal to held-out images is not held out in their place.
        free = np.flatnonzero(~np.isin(groups, groups[given != "train"]))
        given[free] = stratified(groups[free], y[free], (shares[1], 1.0 if "validation" in missing else shares[1]))
    return given


def stratified(groups: np.ndarray, y: np.ndarray, shares: tuple[float, float]) -> np.ndarray:
    """The split of each image: within each class by rank of its group's hash, so that a group lies together.

    `shares` are where the validation and the test images of a class begin.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    split_of_group = np.empty(len(first), dtype=object)
    for label in np.unique(y):
        of_class = np.flatnonzero(y[first] == label)
        parts = np.split(of_class, [round(share * len(of_class)) for share in shares])
        for name, part in zip(SPLITS, parts, strict=True):
            split_of_group[part] = name
    return split_of_group[group]


def in_its_last_split(groups: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Whether each image is kept: of a group that two splits hold, the later one's, so that the test is whole."""
    rank = 1 * (sides == "validation") + 2 * (sides == "test")
    _, group = np.unique(groups, return_inverse=True)
    last = np.zeros(group.max() + 1, dtype=np.int64)
    np.maximum.at(last, group, rank)
    return rank == last[group]


def labelled(items: Sequence[Item], wanted: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the classes, in their natural order, and the class of each image; NO_CLASS where it has none.

    The classes are those of the training images, `wanted` or not: what a model's outputs mean does not change with it.

    Raises:
        Problem: only some images have a class, a held-out image has one that no training image has, or one of `wanted`
            is none.
    """
    labels = [item.label for item in items]
    without = labels.count(None)
    if 0 < without < len(labels):
        name = next(item.name for item in items if item.label is None)
        raise Problem(f"{without} of {len(labels)} images have no label, such as {name}: give each one, or none")
    of_training = {item.label for item in items if item.label is not None and item.split in (None, "train")}
    names = tuple(sorted(of_training, key=natural))
    place = {name: number for number, name in enumerate(names)}
    unknown = set(wanted) - of_training
    if unknown:
        raise Problem(
            f"--data.classes {' '.join(sorted(unknown))}: the training images have {', '.join(names) or 'none'}"
        )
    for item in items:
        if item.label is not None and item.label not in place and (not wanted or item.label in wanted):
            raise Problem(
                f"{item.name} ({item.split}) is of {item.label}, and no training image is: add some, or drop it"
            )
    return names, np.array([place.get(label, NO_CLASS) if label is not None else NO_CLASS for label in labels])


def shared(
    names: Sequence[str],
    whole: np.ndarray,
    sides: np.ndarray,
    keys: Sequence[str],
    groups: np.ndarray,
    pairs: Sequence[Pair],
    rule: str,
) -> Leakage:
    """What the splits share of the images that are kept."""
    samples = [
        Sample(names[row], str(sides[row]), keys[row], str(groups[row])) for row in np.flatnonzero(whole).tolist()
    ]
    place = np.cumsum(whole) - 1
    both = [
        Pair(int(place[first]), int(place[second]), similarity)
        for first, second, similarity in pairs
        if whole[first] and whole[second]
    ]
    return compare(samples, both, rule)
