"""What a classifier's predictions say about its labels. A pure function of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SUSPECTS = 5
"""Examples that are named."""


@dataclass(frozen=True)
class Labels:
    """A classifier's labels."""

    counts: dict[str, int]
    """Training examples of each class."""
    accuracy: float
    """On the validation split."""
    recall: dict[str, float]
    """Of each class, there."""
    contradicted: float
    """Share of the validation labels that confident learning contradicts."""
    suspects: list[str]
    """The examples whose label is contradicted most."""


def inspect(train: np.ndarray, logits: np.ndarray, y: np.ndarray, names: Sequence[str]) -> Labels:
    """The labels of the training split, and the predictions and labels of a split that was not trained on.

    A class is confident where its probability reaches its mean over the examples that carry it as label, and a label is
    contradicted where the most confident class is another (Northcutt, Jiang & Chuang 2021, arXiv:1911.00068, equations
    1 and 2). `train` is (m,), `logits` (n, classes) and `y` (n,); `names` are those of the classes.
    """
    from scipy.special import softmax  # takes half a second to import

    p = softmax(logits, 1)
    right = p.argmax(1) == y
    present = np.unique(y)
    means = np.full(p.shape[1], np.inf)
    means[present] = [p[y == label, label].mean() for label in present]
    confident = np.where(p >= means, p, 0.0)
    guess = confident.argmax(1)
    bad = np.flatnonzero((confident.max(1) > 0) & (guess != y))
    worst = bad[np.argsort(p[bad, y[bad]])][:SUSPECTS]
    classes, counts = np.unique(train, return_counts=True)
    return Labels(
        counts={names[label]: count for label, count in zip(classes.tolist(), counts.tolist(), strict=True)},
        accuracy=float(right.mean()),
        recall={names[label]: float(right[y == label].mean()) for label in present},
        contradicted=len(bad) / len(y),
        suspects=[
            f"validation example {i}: labelled {names[y[i]]}, taken for {names[guess[i]]} ({p[i, guess[i]]:.2f})"
            for i in worst
        ],
    )
