"""What a classifier's predictions say about its labels. A pure function of arrays."""

import numpy as np

from .observations import Labels

SUSPECTS = 5
"""Examples that are named."""


def inspect(train: np.ndarray, logits: np.ndarray, y: np.ndarray) -> Labels:
    """The labels of the training split, and the predictions and labels of a split that was not trained on.

    `train` is (m,), `logits` (n, classes) and `y` (n,).
    """
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    p = shifted / shifted.sum(1, keepdims=True)
    guess, said = contradictions(p, y)
    bad = np.flatnonzero(said)
    worst = bad[np.argsort(p[bad, y[bad]])][:SUSPECTS]
    classes, counts = np.unique(train, return_counts=True)
    return Labels(
        counts={int(label): int(count) for label, count in zip(classes, counts, strict=True)},
        accuracy=float((p.argmax(1) == y).mean()),
        recall={int(label): float((p.argmax(1) == label)[y == label].mean()) for label in np.unique(y)},
        contradicted=float(said.mean()),
        suspects=[
            f"validation example {i}: labelled {y[i]}, taken for {guess[i]} ({p[i, guess[i]]:.2f})" for i in worst
        ],
    )


def contradictions(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The confident class of each example, and whether it is another than its label.

    A class is confident where its probability reaches its mean over the examples that carry it as label (Northcutt,
    Jiang & Chuang 2021, arXiv:1911.00068, equations 1 and 2).
    """
    means = [p[y == label, label].mean() if (y == label).any() else np.inf for label in range(p.shape[1])]
    confident = np.where(p >= np.array(means), p, 0.0)
    guess = confident.argmax(1)
    return guess, (confident.max(1) > 0) & (guess != y)
