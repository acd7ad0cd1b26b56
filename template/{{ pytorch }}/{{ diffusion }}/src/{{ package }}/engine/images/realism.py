"""How much generated images are like real ones, by measures that a trick for one of them fails at another.

    two samples       a classifier tells them from held-out images: .5 is chance (Lopez-Paz & Oquab 2017,
                      arXiv:1610.06545)
    neighbours        as far from the training images as held-out ones are: a copy is near
    labels            a classifier of real images says the class that was asked for
    diversity         as far from each other as real ones are

Copies of training images pass the first, third and fourth, and fail the second. A blurred mean passes the second and
third, and fails the others.

Images are compared as they can be stored: brightness in whole levels. Otherwise a classifier sees at once that the
pixels of real images lie on a grid, and of generated ones do not.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import SVC
from torch import Tensor
from torch.nn import functional

from ..statistics.metrics import Metric
from .examples import Images

SIDE = 16
"""Pixels along the side that classifiers and distances see, if the images have more."""
FOLDS = 5
NEAR = 0.01
"""The share of held-out images that counts as the nearest to the training images."""

FEWEST = 10
"""Of fewer images, no classifier learns to tell them apart."""

Pixels = Float[np.ndarray, "N D"]
Labels = Int[np.ndarray, " N"]


def quantised(x: Float[Tensor, "N C Y X"], levels: int) -> Float[Tensor, "N C Y X"]:
    """Pixels from 0 to 1 in steps of 1 / levels."""
    return (x.clamp(0, 1) * levels).round() / levels


def seen(x: Float[Tensor, "N C Y X"]) -> Pixels:
    """What classifiers and distances see of images."""
    if x.shape[-1] > SIDE:
        x = functional.interpolate(x, size=(SIDE, SIDE), mode="area")
    return x.flatten(1).numpy()


def chosen(images: Images, most: int) -> tuple[Float[Tensor, "N C Y X"], np.ndarray]:
    """Images and their classes; of `most` that lie evenly, where there are more."""
    chunks = images.chunks(most)
    return torch.cat([Images.batch(images, indices, None)["x"] for indices in chunks]), images.y[np.concatenate(chunks)]


def told_apart(real: Pixels, generated: Float[np.ndarray, "M D"], classifier: ClassifierMixin) -> Float[Tensor, " N+M"]:
    """1 for each image that the classifier takes for what it is, cross-validated over both kinds; else 0."""
    x = np.concatenate((real, generated))
    kind = np.repeat([0, 1], [len(real), len(generated)])
    folds = StratifiedKFold(min(FOLDS, len(real), len(generated)), shuffle=True, random_state=0)
    return torch.from_numpy(cross_val_predict(classifier, x, kind, cv=folds) == kind).double()


def nearest(images: Pixels, among: Float[np.ndarray, "M D"]) -> Float[Tensor, " N"]:
    """The distance of each image to the nearest of others."""
    return torch.cdist(torch.from_numpy(images), torch.from_numpy(among)).amin(1).double()


def recognised(
    images: Pixels, asked: Labels, train: Float[np.ndarray, "M D"], y: Int[np.ndarray, " M"]
) -> Float[Tensor, " N"]:
    """1 for each image in which a classifier of the training images sees the class that was asked for, else 0."""
    return torch.from_numpy(SVC().fit(train, y).predict(images) == asked).double()


def apart(images: Pixels, y: Labels) -> float:
    """The mean distance of two images of a class; NaN where no class has two."""
    total, pairs = 0.0, 0
    for label in np.unique(y):
        of = torch.from_numpy(images[y == label]).double()
        total, pairs = total + float(torch.cdist(of, of).sum()), pairs + len(of) * (len(of) - 1)
    return total / pairs if pairs else float("nan")


def bits_of_histograms(
    images: Pixels, y: Labels, train: Float[np.ndarray, "M D"], train_y: Int[np.ndarray, " M"], levels: int
) -> float:
    """What the pixels of images cost, in bits per dimension, where each is coded by itself.

    The code is made for the levels that the same pixel has in training images of the class, each counted once more.
    """
    total, (new, old) = 0.0, ((x * levels).round().astype(np.int16) for x in (images, train))
    for image, label in zip(new, y, strict=True):
        of = old[train_y == label]
        total -= np.log2(((of == image).sum(0) + 1) / (len(of) + levels + 1)).sum()
    return float(total / images.size)


class Real(NamedTuple):
    """The images that generated ones are compared with."""

    held_out: Pixels
    y: Labels
    train: Pixels
    train_y: Labels

    def measure(self, generated: Pixels, asked: Labels) -> dict[str, Metric]:
        """How generated images, of the classes that were asked for, stand to them."""
        found = {}
        if min(len(self.held_out), len(generated)) >= FEWEST:
            for name, classifier in (("forest", RandomForestClassifier(random_state=0)), ("svc", SVC())):
                told = told_apart(self.held_out, generated, classifier)
                found[f"two_sample_{name}"] = Metric(told.mean().item(), told, share=True)
        real, ours = nearest(self.held_out, self.train), nearest(generated, self.train)
        copies = (ours < real.min()).double()
        ratio = ours.quantile(NEAR) / real.quantile(NEAR).clamp(min=1e-9)
        found["copies"] = Metric(copies.mean().item(), copies, share=True)
        found["neighbour_distance"] = Metric(ratio.item(), None, higher_is_better=True)
        found["diversity"] = Metric(apart(generated, asked) / apart(self.held_out, self.y), None, higher_is_better=True)
        if len(np.unique(self.train_y)) > 1:
            right = recognised(generated, asked, self.train, self.train_y)
            found["label_consistency"] = Metric(right.mean().item(), right, higher_is_better=True, share=True)
        return found
