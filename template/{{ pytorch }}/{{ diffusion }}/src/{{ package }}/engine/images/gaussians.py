"""A Gaussian for each class, fitted to images: what a generator should do better than."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """N(mean, V diag(variance) Vᵀ) over the pixels of an image."""

    mean: Float[Tensor, " D"]
    directions: Float[Tensor, "R D"]
    """Rows of length 1, at right angles; in any other direction the variance is 0."""
    variance: Float[Tensor, " R"]

    def sample(self, count: int, noise: torch.Generator) -> Float[Tensor, "N D"]:
        """Images, which may leave the range of pixels."""
        drawn = torch.randn(count, len(self.variance), generator=noise, dtype=self.mean.dtype)
        return self.mean + drawn * self.variance.sqrt() @ self.directions

    def denoised(
        self, x: Float[Tensor, "N D"], alpha: Float[Tensor, "N 1"], sigma: Float[Tensor, "N 1"]
    ) -> Float[Tensor, "N D"]:
        """E[x_0 | x], where x = alpha x_0 + sigma ε and x_0 is of this distribution: the best guess of it."""
        along = (x - alpha * self.mean) @ self.directions.T
        return self.mean + alpha * self.variance / (alpha**2 * self.variance + sigma**2) * along @ self.directions


def fitted(x: Float[Tensor, "N D"]) -> Gaussian:
    """Mean and covariance of images."""
    mean = x.mean(0)
    _, singular, directions = torch.linalg.svd(x - mean, full_matrices=False)
    return Gaussian(mean, directions, singular**2 / max(1, len(x) - 1))


def by_class(x: Float[Tensor, "N D"], y: Int[Tensor, " N"]) -> dict[int, Gaussian]:
    """One for each class that occurs."""
    return {label: fitted(x[y == label]) for label in y.unique().tolist()}
