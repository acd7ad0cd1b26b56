"""How far a classifier's probabilities can be believed, and how it does on each class.

Functions of two arrays and nothing else: `logits`, (n, classes), and `y`, (n,). They belong to the validation split.
A temperature is a choice like any other, so it is never fitted to the test split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import softmax
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ..core.json_io import finite

BINS = 15
"""As in Guo et al. 2017 (arXiv:1706.04599)."""
DRAWS = 1000
TEMPERATURES = (0.01, 100.0)
"""Between these it is sought; a model that is always right has its optimum at 0."""


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The examples whose largest probability lies above `low` and is at most `high`."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Mean of the largest probability; None in an empty bin."""
    accuracy: float | None
    """Share of right answers; None in an empty bin."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How well confidence agrees with accuracy."""

    ece: float
    """Expected calibration error in 15 bins of equal width: Guo et al. 2017, equation 3. 0 is ideal."""
    ece_by_chance: float
    """What a perfectly calibrated model of the same confidences stays under in 95 of 100 splits of this size."""
    brier: float
    """Mean over the examples of the squared distance between probabilities and truth, from 0 to 2: Brier 1950."""
    bins: tuple[Bin, ...]
    temperature: float
    """Dividing the logits by it makes the validation split most probable; above 1 the model is too sure of itself."""
    ece_calibrated: float
    """Mean ECE of two halves, each with the temperature of the other. Fewer examples raise an ECE, so that it is not
    optimistic; compare it with `ece_halves`. Folds put together would be, as all answers shaped their temperatures."""
    ece_halves: float
    """Mean ECE of the same halves as they are."""

    @property
    def within_chance(self) -> bool:
        """Whether this many examples cannot tell the model from a perfectly calibrated one."""
        return self.ece <= self.ece_by_chance


def calibration(logits: Float[np.ndarray, "n classes"], y: Int[np.ndarray, " n"]) -> Calibration:
    """Everything there is to say about a classifier's confidence."""
    logits = logits.astype(np.float64)
    probabilities = softmax(logits, 1)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    as_they_are, calibrated = errors_of_halves(logits, y)
    return Calibration(
        ece=expected_error(confidence, right),
        ece_by_chance=error_by_chance(confidence),
        brier=brier(probabilities, y),
        bins=bins(confidence, right),
        temperature=fit_temperature(logits, y),
        ece_calibrated=calibrated,
        ece_halves=as_they_are,
    )


def bins(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> tuple[Bin, ...]:
    """Bins of equal width from 0 to 1."""
    numbers = bin_of(confidence)
    edges = np.linspace(0, 1, BINS + 1).tolist()
    found = []
    for number, (low, high) in enumerate(pairwise(edges)):
        inside = numbers == number
        count = int(inside.sum())
        means = (float(confidence[inside].mean()), float(right[inside].mean())) if count else (None, None)
        found.append(Bin(low=low, high=high, count=count, confidence=means[0], accuracy=means[1]))
    return tuple(found)


def bin_of(confidence: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The number of each confidence's bin."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def expected_error(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> float:
    """Mean over the examples of |accuracy - confidence| of their bins: Guo et al. 2017, equation 3."""
    gaps = np.bincount(bin_of(confidence), right - confidence)
    return float(np.abs(gaps).sum() / len(right))


def error_by_chance(confidence: Float[np.ndarray, " n"]) -> float:
    """The 95th percentile of the ECE where each answer is right with just the probability that was said.

    The ECE of finitely many examples is above 0 even then (Bröcker & Smith 2007, consistency resampling).
    """
    rng = np.random.default_rng(0)
    errors = [expected_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(DRAWS)]
    return float(np.percentile(errors, 95))


def brier(probabilities: Float[np.ndarray, "n classes"], y: Int[np.ndarray, " n"]) -> float:
    """Mean squared distance between the probabilities and the truth as a vector of 0 and 1."""
    truth = np.arange(probabilities.shape[1]) == y[:, None]
    return float(((probabilities - truth) ** 2).sum(1).mean())


def fit_temperature(logits: Float[np.ndarray, "n classes"], y: Int[np.ndarray, " n"]) -> float:
    """The temperature that makes `y` most probable: Guo et al. 2017, section 4.2.

    The likelihood is log-concave in 1/T, so the sign of its slope, which is the true logits' mean excess over what is
    expected of them, says on which side of T the optimum lies.
    """
    low, high = np.log(TEMPERATURES)
    true = logits[np.arange(len(y)), y]
    for _ in range(40):
        middle = (low + high) / 2
        expected = (softmax(logits / np.exp(middle), 1) * logits).sum(1)
        low, high = (low, middle) if (true - expected).sum() >= 0 else (middle, high)
    return float(np.exp((low + high) / 2))


def errors_of_halves(logits: Float[np.ndarray, "n classes"], y: Int[np.ndarray, " n"]) -> tuple[float, float]:
    """Mean ECE of two halves, as they are and with the temperature of the other half."""
    first = np.random.default_rng(0).permutation(len(y)) % 2 == 0
    errors = []
    for half in (first, ~first):
        temperature = fit_temperature(logits[~half], y[~half])
        right = logits[half].argmax(1) == y[half]
        errors.append([expected_error(softmax(logits[half] / t, 1).max(1), right) for t in (1.0, temperature)])
    as_they_are, calibrated = np.mean(errors, axis=0).tolist()
    return as_they_are, calibrated


def confusion(logits: Float[np.ndarray, "n classes"], y: Int[np.ndarray, " n"]) -> Int[np.ndarray, "classes classes"]:
    """Counts: row what it is, column what it was taken for."""
    return confusion_matrix(y, logits.argmax(1), labels=range(logits.shape[1]))


def per_class(
    logits: Float[np.ndarray, "n classes"], y: Int[np.ndarray, " n"], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Each class against all others: label, precision, recall, F1, and support, which is how many are it.

    A figure without anything to divide by is None: the precision of a class for which nothing was taken, say.
    """
    labels = range(logits.shape[1])
    figures = precision_recall_fscore_support(y, logits.argmax(1), labels=labels, zero_division=np.nan)
    fields = ("label", "precision", "recall", "f1", "support")
    rows = zip(names, *(column.tolist() for column in figures), strict=True)
    return [finite(dict(zip(fields, row, strict=True))) for row in rows]
