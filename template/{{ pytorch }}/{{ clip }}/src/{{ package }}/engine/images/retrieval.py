"""How well captions find images and images find captions, by a model or by a classical method."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.linalg import cho_factor, cho_solve
from torch import Tensor
from torch.nn import functional

from .examples import Images

SIDE = 8
"""Pixels along the side that classical methods see."""
MOST = 4000
"""Training pairs that they are fitted to."""
WORDS = 400
"""Of the training captions, the most frequent: the others are left out of a bag of words."""
DIRECTIONS = 32
"""Pairs of directions that canonical correlation analysis keeps."""
TOGETHER = 512
"""Queries that are ranked at a time, so that memory does not grow with the square of their number."""


def fits(images: Int[Tensor, "B A"], texts: Int[Tensor, "N A"], said: Int[Tensor, "N A"]) -> Bool[Tensor, "B N"]:
    """Whether a caption fits an image: what is said is so. `texts` is the content of the captions' own images."""
    return ((images[:, None] == texts) | (said == 0)).all(2)


def ranks(
    queries: Float[Tensor, "Q E"], candidates: Float[Tensor, "C E"], true: Iterator[Bool[Tensor, "_ C"]]
) -> Int[Tensor, " Q"]:
    """The place of the first true candidate of each query, from 1; a tie counts against it.

    `true` gives the true candidates of TOGETHER queries after the other.
    """
    found = []
    for some, right in zip(queries.split(TOGETHER), true, strict=True):
        scores = some @ candidates.T
        best = scores.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
        found.append(1 + ((scores >= best) & ~right).sum(1))
    return torch.cat(found)


def both_ways(
    image: Float[Tensor, "N E"], text: Float[Tensor, "N E"], contents: Int[Tensor, "N A"], said: Int[Tensor, "N A"]
) -> tuple[Int[Tensor, " N"], Int[Tensor, " N"]]:
    """The ranks of each image's captions and of each caption's images; any true one counts."""
    of_images = (fits(some, contents, said) for some in contents.split(TOGETHER))
    parts = zip(contents.split(TOGETHER), said.split(TOGETHER), strict=True)
    of_texts = (fits(contents, some, told).T for some, told in parts)
    return ranks(image, text, of_images), ranks(text, image, of_texts)


def classical(
    train: Images, held_out: Images, contents: Int[Tensor, "N A"], said: Int[Tensor, "N A"]
) -> dict[str, float]:
    """Recall at 1, the mean of both ways, of simple methods: they see 8 x 8 pixels and which words a caption has."""
    vocabulary = words_of(train.captions)
    x, y = pixels(train, MOST), bags(chosen(train, MOST), vocabulary)
    new_x, new_y = pixels(held_out, None), bags(held_out.captions, vocabulary)
    found = {"chance": chance(contents, said)}
    for name, method in (("canonical correlation", canonical), ("kernel ridge", kernel_ridge)):
        image, text = (functional.normalize(torch.from_numpy(side), dim=-1) for side in method(x, y, new_x, new_y))
        both = torch.stack(both_ways(image, text, contents, said))
        found[name] = (both == 1).double().mean().item()
    return found


def chance(contents: Int[Tensor, "N A"], said: Int[Tensor, "N A"]) -> float:
    """The recall at 1 of a guess: the share of the candidates that are true."""
    return float(np.mean([fits(some, contents, said).double().mean(1).mean().item() for some in contents.split(1)]))


def words(caption: str) -> list[str]:
    """Its words, in lower case."""
    return re.findall(r"\w+", caption.lower())


def words_of(captions: Sequence[str]) -> dict[str, int]:
    """The most frequent words, and their numbers."""
    counts = Counter(word for caption in captions for word in words(caption))
    return {word: number for number, (word, _) in enumerate(counts.most_common(WORDS))}


def bags(captions: Sequence[str], vocabulary: dict[str, int]) -> np.ndarray:
    """How often each word occurs in each caption, (n, words)."""
    found = np.zeros((len(captions), len(vocabulary)))
    for row, caption in enumerate(captions):
        for word in words(caption):
            if word in vocabulary:
                found[row, vocabulary[word]] += 1
    return found


def chosen(images: Images, most: int) -> list[str]:
    """The captions of the same images as `pixels`."""
    return [images.captions[index] for indices in images.chunks(most) for index in indices]


def pixels(images: Images, most: int | None) -> np.ndarray:
    """The pixels of images that are reduced to 8 x 8, (n, features); of `most` images, where there are more."""
    parts = []
    for indices in images.chunks(most):
        x = Images.batch(images, indices, None)["x"]
        parts.append(functional.interpolate(x, size=(SIDE, SIDE), mode="area").flatten(1).double().numpy())
    return np.concatenate(parts)


def canonical(x: np.ndarray, y: np.ndarray, new_x: np.ndarray, new_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Canonical correlation analysis (Hotelling 1936), with a little ridge: the directions that correlate most."""

    def whitening(values: np.ndarray) -> np.ndarray:
        covariance = values.T @ values / len(values)
        ridge = 1e-2 * np.trace(covariance) / len(covariance)
        size, axes = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
        white: np.ndarray = axes / np.sqrt(size)
        return white

    (x, new_x), (y, new_y) = (
        (fitted - fitted.mean(0), new - fitted.mean(0)) for fitted, new in ((x, new_x), (y, new_y))
    )
    white_x, white_y = whitening(x), whitening(y)
    left, strength, right = np.linalg.svd((x @ white_x).T @ (y @ white_y) / len(x), full_matrices=False)
    kept = slice(DIRECTIONS)
    # Weighted by their correlations, so that what hardly correlates hardly counts.
    return new_x @ white_x @ left[:, kept] * strength[kept], new_y @ white_y @ right[kept].T * strength[kept]


def kernel_ridge(x: np.ndarray, y: np.ndarray, new_x: np.ndarray, new_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A caption's words as a smooth function of the pixels: ridge regression with an RBF kernel."""
    mean, std = y.mean(0), y.std(0) + 1e-2
    scale = x.var(0).sum()  # scikit-learn's "scale": one over the features times their variance

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        near: np.ndarray = np.exp(-squared / scale)
        return near

    factor = cho_factor(kernel(x, x) + 1e-2 * np.eye(len(x)))
    found = kernel(new_x, x) @ cho_solve(factor, (y - mean) / std)
    return found, (new_y - mean) / std
