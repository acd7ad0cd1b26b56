"""What is wrong with a run's data: what the splits share, classes, labels, a shift between the splits, the way to them.

The thresholds stand first, as in `rules.py`, which asks all of these.
"""

from collections.abc import Iterator, Sequence
from statistics import median

from ..statistics.metrics import Result
from ..task import Fault
from .observations import Observations

IMBALANCE = 10.0
"""The most frequent class is so many times as frequent as the rarest: plain accuracy hides the rare one."""
NOISE = 0.12
"""Share of labels that confident learning contradicts; on clean digits 0.02, and 0.1 by a model that overfits."""
NEAR = 0.15
"""A classifier that is worse than the median baseline by this share of it is itself what is wrong, not the labels."""
PSI = 0.25
"""A population stability index from here on is a major shift (Siddiqi 2006) ..."""
ALPHA = 0.01
"""... if the Kolmogorov-Smirnov test agrees at this level, corrected for all features (Holm 1979)."""
WAITING = 0.4
"""Share of a training step that waits for data. Steps of 1 ms wait for 0.06 of it, on a busy machine for 0.3."""


def behind(result: Result, other: float) -> float:
    """How much worse a result is than another value of its metric."""
    return other - result.value if result.higher_is_better else result.value - other


def some(found: Sequence[object]) -> list[str]:
    """The first five, and how many more."""
    return [*map(str, found[:5]), *([f"and {len(found) - 5} more"] if len(found) > 5 else [])]


def leaking(seen: Observations) -> Iterator[Fault]:
    """Examples that lie in two splits."""
    if seen.leakage is None or not seen.leakage.found:
        return
    said = f"pairs of examples in two splits: {len(seen.leakage.found)}; compared was: {seen.leakage.rule}"
    remedy = [
        "give what is alike one group before data.py splits it, or remove one of the two",
        "then delete data.lock.json, which records this split, and train again: its figures are too good",
    ]
    yield Fault("leakage", [said, *some(seen.leakage.found)], remedy)


def imbalanced(seen: Observations) -> Iterator[Fault]:
    """Classes of very different frequency."""
    if seen.labels is None:
        return
    counts = seen.labels.counts
    rare, common = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[common] < IMBALANCE * counts[rare]:
        return
    found = seen.labels.recall.get(rare)
    known = "no example is in the validation split" if found is None else f"{found:.0%} are recognised"
    evidence = [
        f"class {common} has {counts[common]} training examples and class {rare} has {counts[rare]}: "
        f"{counts[common] / counts[rare]:.0f} times as many, over {IMBALANCE:g}",
        f"of class {rare}, {known}",
    ]
    remedy = [
        "weight the loss by the inverse frequency of the class, or sample rare classes more often: task.py, data.py",
        "report the mean recall of the classes beside the accuracy, in Task.metrics",
    ]
    yield Fault("class imbalance", evidence, remedy)


def noisy_labels(seen: Observations) -> Iterator[Fault]:
    """Labels that the model contradicts with confidence, on data that it was not trained on."""
    labels, validation = seen.labels, seen.validation
    # Only a model that is mostly right can contradict a label.
    if labels is None or validation is None or labels.contradicted <= NOISE or labels.accuracy < 0.5:
        return
    baseline = median(validation.baselines.values() or [validation.value])
    if behind(validation, baseline) > NEAR * abs(baseline):
        return
    evidence = [
        f"confident learning contradicts {labels.contradicted:.0%} of the validation labels, over {NOISE:.0%}",
        *labels.suspects,
    ]
    yield Fault("label noise", evidence, ["look at these examples, and fix or leave out what is labelled wrongly"])


def shifted(seen: Observations) -> Iterator[Fault]:
    """Training and validation split differ."""
    bad = [
        f"{shift.feature}: PSI {shift.psi:.2f}, over {PSI}; p {shift.p:.1g} after Holm's correction, under {ALPHA}"
        for shift in seen.shifts
        if shift.psi > PSI and shift.p < ALPHA
    ]
    remedy = [
        "split at random by group, in data.py, unless another time, place or writer is what you want to measure",
        "look for a unit, a scaling or a preprocessing that one split has and the other lacks",
    ]
    if bad:
        said = f"{len(bad)} of {len(seen.shifts)} features differ between training and validation split"
        yield Fault("distribution shift", [said, *some(bad)], remedy)


def waits(seen: Observations) -> Iterator[Fault]:
    """A slow input pipeline."""
    if seen.data_share <= WAITING:
        return
    workers = seen.config.num_workers
    said = f"a training step waits {seen.data_share:.0%} of its time for data, over {WAITING:.0%}"
    remedy = [
        f"--train.num-workers {max(2, 2 * workers)}",
        "make `batch` in data.py do less for each example, or once for all; profile says what a step costs",
    ]
    yield Fault("slow input pipeline", [f"{said}, with {workers} workers"], remedy)
