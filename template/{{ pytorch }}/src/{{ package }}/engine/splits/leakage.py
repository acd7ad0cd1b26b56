"""Do the splits share examples? A training does not start where they do.

What compares the splits sees the test split too, and hands out names and counts alone: nothing that trains gets hold of
an example through it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core.config_io import fingerprint
from ..core.errors import Problem
from .dedup import Pair
from .seal import opened
from .splits import SPLITS, Entry, lock

if TYPE_CHECKING:
    from ..core.batch import Examples


class Sample(NamedTuple):
    """An example, as the comparison sees it."""

    name: str
    """What a person finds it by: its file, its row."""
    split: str
    key: str
    """Hash of its content, without what makes no difference, such as white space."""
    group: str
    """Hash of what it shares with others that must lie in its split; its key where there are none."""


@dataclass(frozen=True)
class Leakage:
    """What a comparison of the splits found."""

    found: list[str]
    """The examples that two splits share, a sentence for each pair."""
    compared: dict[str, int]
    """How many examples each split has."""
    grouped: int
    """Examples that lie in a split because others of their group do."""
    rule: str
    """What counts as shared."""


def compare(samples: Sequence[Sample], pairs: Iterable[Pair], rule: str) -> Leakage:
    """Equal examples, groups and pairs that lie in two splits. `pairs` are positions in `samples`."""
    found = [said(*two, "equal") for two in apart(samples, lambda sample: sample.key)]
    straddling = apart(samples, lambda sample: sample.group)
    found += [said(one, other, "in one group") for one, other in straddling if one.key != other.key]
    for first, second, similarity in pairs:
        one, other = samples[first], samples[second]
        if one.split != other.split and one.group != other.group:
            found.append(said(one, other, f"nearly equal (similarity {similarity:.3f})"))
    sizes = Counter(sample.group for sample in samples)
    counts = Counter(sample.split for sample in samples)
    grouped = sum(size for size in sizes.values() if size > 1)
    return Leakage(found, {split: counts[split] for split in SPLITS}, grouped, rule)


def apart(samples: Iterable[Sample], shared: Callable[[Sample], str]) -> Iterator[tuple[Sample, Sample]]:
    """Samples that share something with an earlier one in another split, and the first such."""
    seen: dict[str, Sample] = {}
    for sample in samples:
        one = seen.setdefault(shared(sample), sample)
        if one.split != sample.split:
            yield one, sample


def said(one: Sample, other: Sample, what: str) -> str:
    """What is wrong with two samples."""
    return f"{one.name} ({one.split}) and {other.name} ({other.split}) are {what}"


def refuse(leakage: Leakage) -> None:
    """Stop before a training whose validation would be a lie.

    Raises:
        Problem: the splits share examples.
    """
    if not leakage.found:
        return
    more = f", and {len(leakage.found) - 1} more" if len(leakage.found) > 1 else ""
    raise Problem(
        f"the splits share examples: {leakage.found[0]}{more}. Give what is alike one group before data.py splits it, "
        "or remove one of the two; then delete data.lock.json, which records this split"
    )


def samples(data: Callable[[str], "Examples"]) -> list[Sample]:
    """Every example of every split; equal are those whose tensors are equal to the bit, as `data` gives them."""
    with opened():
        return [
            Sample(f"example {row}", split, key, key) for split in SPLITS for row, key in enumerate(keys(data(split)))
        ]


def recorded(source: str, found: Sequence[Sample], division: object) -> str:
    """The hash of all these examples and their splits, recorded in data.lock.json under the name `source`.

    Raises:
        Problem: other data are recorded there.
    """
    entries = []
    for split in SPLITS:
        of_split = [sample.key for sample in found if sample.split == split]
        content = "".join(of_split)
        entries.append(Entry(split, len(content), fingerprint(content), {split: len(of_split)}))
    return lock(source, entries, division)


def keys(examples: "Examples") -> Iterator[str]:
    """A hash of each example, taken alone and without augmentation, which would hide its equals."""
    for row in range(len(examples)):
        batch = examples.batch(np.array([row]), None)
        yield fingerprint(b"".join(content(value) for value in batch.values()))


def content(value: Tensor) -> bytes:
    """The bytes of a tensor."""
    return value.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
