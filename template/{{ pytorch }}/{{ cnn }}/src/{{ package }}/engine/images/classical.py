"""What classical methods reach on images, in a time that does not grow with them."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from torch.nn import functional

from .examples import Images

SIDE = 8
"""Pixels along the side that they see."""
MOST = 5000
"""Training images that they are fitted to."""


def accuracies(train: Images, held_out: Images) -> dict[str, float]:
    """Their accuracies on images that are reduced to 8 x 8 pixels."""
    methods: dict[str, ClassifierMixin] = {
        "most frequent class": DummyClassifier(),
        "logistic regression": LogisticRegression(max_iter=1000),
        "SVC with an RBF kernel": SVC(),
        "nearest neighbour": KNeighborsClassifier(1),
    }
    x, y = reduced(train, MOST)
    new, truth = reduced(held_out, None)
    return {name: method.fit(x, y).score(new, truth) for name, method in methods.items()}


def reduced(images: Images, most: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of small images, (n, features), and the classes; of `most` images, where there are more."""
    parts, labels = [], []
    for indices in images.chunks(most):
        x = images.batch(indices, None)["x"]
        if x.shape[-1] > SIDE:
            x = functional.interpolate(x, size=(SIDE, SIDE), mode="area")
        parts.append(x.flatten(1).numpy())
        labels.append(images.y[indices])
    return np.concatenate(parts), np.concatenate(labels)
