"""What may be wrong with an image: an adversary's work, or a bad camera's.

Images are (B, C, Y, X) with pixels from 0 to 1, and stay so. An attack may change each pixel by at most `epsilon` (the
L-infinity ball).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

Images = Float[Tensor, "B C Y X"]
Labels = Int[Tensor, " B"]
STEPS = 20


def ascent(model: nn.Module, x: Images, y: Labels) -> Images:
    """The sign of the gradient of each image's cross-entropy: the way up."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        loss = functional.cross_entropy(model(x), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x)
    return gradient.sign()


def fgsm(model: nn.Module, x: Images, y: Labels, epsilon: float) -> Images:
    """The fast gradient sign method: one step of `epsilon` (Goodfellow et al. 2015, arXiv:1412.6572, section 4)."""
    return (x + epsilon * ascent(model, x, y)).clamp(0, 1)


def pgd(model: nn.Module, x: Images, y: Labels, epsilon: float, noise: torch.Generator, steps: int = STEPS) -> Images:
    """Projected gradient descent from a random point of the ball (Madry et al. 2018, arXiv:1706.06083, section 2.1).

    A step is 2.5 epsilon / steps, as theirs, which reaches the boundary from any point of the ball.
    """
    start = torch.rand(x.shape, generator=noise, device=x.device, dtype=x.dtype)
    attacked = (x + epsilon * (2 * start - 1)).clamp(0, 1)
    for _ in range(steps):
        attacked = attacked + 2.5 * epsilon / steps * ascent(model, attacked, y)
        attacked = (x + (attacked - x).clamp(-epsilon, epsilon)).clamp(0, 1)
    return attacked


def noisy(x: Images, noise: torch.Generator) -> Images:
    """Gaussian noise with a standard deviation of 0.1."""
    return (x + 0.1 * torch.randn(x.shape, generator=noise, device=x.device, dtype=x.dtype)).clamp(0, 1)


def blurred(x: Images, noise: torch.Generator) -> Images:
    """A binomial filter of 3 x 3 pixels."""
    weights = torch.tensor([1.0, 2.0, 1.0], device=x.device, dtype=x.dtype) / 4
    filters = torch.outer(weights, weights).expand(x.shape[1], 1, 3, 3)
    return functional.conv2d(x, filters, padding=1, groups=x.shape[1])


def shifted(x: Images, noise: torch.Generator) -> Images:
    """By one pixel to the left, right, top or bottom; what comes into view is black."""
    ways = [(0, 2, 1, 1), (2, 0, 1, 1), (1, 1, 0, 2), (1, 1, 2, 0)]
    chosen = torch.randint(4, (len(x), 1, 1, 1), generator=noise, device=x.device)
    height, width = x.shape[-2:]
    moved = [functional.pad(x, way)[..., 1 : 1 + height, 1 : 1 + width] for way in ways]
    return sum((chosen == way) * images for way, images in enumerate(moved))  # type: ignore[return-value]


def paled(x: Images, noise: torch.Generator) -> Images:
    """Half the contrast, around the mean of each image."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + 0.5 * (x - mean)


CORRUPTIONS: dict[str, Callable[[Images, torch.Generator], Images]] = {
    "noise of 0.1": noisy,
    "blur of 3 x 3": blurred,
    "shift by a pixel": shifted,
    "half the contrast": paled,
}
"""Four of the kinds of Hendrycks & Dietterich 2019 (arXiv:1903.12261), at a strength that suits 8 x 8 pixels."""


def perturbed(
    model: nn.Module, x: Images, y: Labels, epsilon: float, noise: Callable[[str], torch.Generator]
) -> dict[str, Images]:
    """The images under each corruption and each attack, by name."""
    kinds = {name: corrupted(x, noise(name)) for name, corrupted in CORRUPTIONS.items()}
    kinds[f"FGSM, epsilon {epsilon:g}"] = fgsm(model, x, y, epsilon)
    kinds[f"PGD, epsilon {epsilon:g}"] = pgd(model, x, y, epsilon, noise("PGD"))
    return kinds
