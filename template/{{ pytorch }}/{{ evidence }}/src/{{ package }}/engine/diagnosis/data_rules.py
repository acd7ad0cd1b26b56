"""What is wrong with a run's data: what the splits share, classes, labels, a shift between the splits, the way to them.

The thresholds stand first, as in `rules.py`, which asks all of these.
"""

from statistics import median

from .observations import Finding, Labels, Observations

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


def leaking(seen: Observations) -> Finding | None:
    """Examples that lie in two splits."""
    if seen.leakage is None or not seen.leakage.found:
        return None
    found = seen.leakage.found
    count = "1 pair of examples lies" if len(found) == 1 else f"{len(found)} pairs of examples lie"
    more = [f"and {len(found) - 5} more"] if len(found) > 5 else []
    evidence = [f"{count} in two splits; compared was: {seen.leakage.rule}", *found[:5], *more]
    remedy = [
        "give what is alike one group before data.py splits it, or remove one of the two",
        "then delete data.lock.json, which records this split, and train again: its figures are too good",
    ]
    return Finding("leakage", evidence, remedy)


def imbalanced(seen: Observations) -> Finding | None:
    """Classes of very different frequency."""
    if seen.labels is None or len(seen.labels.counts) < 2:
        return None
    counts = seen.labels.counts
    rare, common = min(counts, key=lambda label: counts[label]), max(counts, key=lambda label: counts[label])
    if counts[common] < IMBALANCE * counts[rare]:
        return None
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
    return Finding("class imbalance", evidence, remedy)


def noisy_labels(seen: Observations) -> Finding | None:
    """Labels that the model contradicts with confidence, on data that it was not trained on."""
    if seen.labels is None or seen.labels.contradicted <= NOISE or not is_a_judge(seen, seen.labels):
        return None
    evidence = [
        f"confident learning contradicts {seen.labels.contradicted:.0%} of the validation labels, over {NOISE:.0%}",
        *seen.labels.suspects,
    ]
    return Finding("label noise", evidence, ["look at these examples, and fix or leave out what is labelled wrongly"])


def is_a_judge(seen: Observations, labels: Labels) -> bool:
    """Whether the model is good enough to contradict a label: mostly right, and not far below the median baseline."""
    if labels.accuracy < 0.5 or seen.validation is None or not seen.baselines:
        return labels.accuracy >= 0.5
    baseline = median(seen.baselines.values())
    return seen.worse(seen.validation.value, baseline) < NEAR * abs(baseline)


def shifted(seen: Observations) -> Finding | None:
    """Training and validation split differ."""
    bad = [shift for shift in seen.shifts if shift.psi > PSI and shift.p < ALPHA]
    if not bad:
        return None
    evidence = [f"{len(bad)} of {len(seen.shifts)} features differ between training and validation split"]
    evidence += [
        f"{shift.feature}: PSI {shift.psi:.2f}, over {PSI}; p {shift.p:.1g} after Holm's correction, under {ALPHA}"
        for shift in bad[:5]
    ]
    remedy = [
        "split at random by group, in data.py, unless another time, place or writer is what you want to measure",
        "look for a unit, a scaling or a preprocessing that one split has and the other lacks",
    ]
    return Finding("distribution shift", evidence, remedy)


def waits(seen: Observations) -> Finding | None:
    """A slow input pipeline."""
    if seen.data_share is None or seen.data_share <= WAITING:
        return None
    said = f"a training step waits {seen.data_share:.0%} of its time for data, over {WAITING:.0%}"
    remedy = [
        f"--train.num-workers {max(2, 2 * seen.num_workers)}",
        "make `batch` in data.py do less for each example, or once for all; profile says what a step costs",
    ]
    return Finding("slow input pipeline", [f"{said}, with {seen.num_workers} workers"], remedy)
