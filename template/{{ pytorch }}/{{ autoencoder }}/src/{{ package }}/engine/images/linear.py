"""What the mean image, and the best linear code, leave of images."""

import math

import numpy as np
from sklearn.decomposition import PCA

from .examples import Images

MOST = 5000
"""Training images that they are fitted to, ..."""
NUMBERS = 100_000_000
"""... or as many as have so many pixel values: of large images, fewer."""


def errors(train: Images, held_out: Images, components: int) -> dict[str, float]:
    """The mean squared error of a pixel: of the mean training image, and of PCA with so many components.

    No linear encoder and decoder with as many latents has a smaller error on the images that PCA is fitted to (Eckart
    & Young 1936).
    """
    x = pixels(train, np.concatenate(train.chunks(min(MOST, max(1, NUMBERS // math.prod(train.pixels.shape[1:]))))))
    pca = PCA(min(components, *x.shape), random_state=0).fit(x)
    left, residue = 0.0, 0.0
    for indices in held_out.chunks():
        new = pixels(held_out, indices)
        left += float(((new - pca.mean_) ** 2).sum())
        residue += float(((new - pca.inverse_transform(pca.transform(new))) ** 2).sum())
    count = len(held_out) * x.shape[1]
    return {"mean image": left / count, f"PCA with {components} components": residue / count}


def pixels(images: Images, indices: np.ndarray) -> np.ndarray:
    """(n, values), from 0 to 1."""
    flat: np.ndarray = images.batch(indices, None)["x"].flatten(1).numpy()
    return flat
