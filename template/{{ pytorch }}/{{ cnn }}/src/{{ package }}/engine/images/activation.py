"""Where in an image a classifier finds its class (Grad-CAM; Selvaraju et al. 2017, arXiv:1610.02391)."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 5
"""Images beside each other."""


@runtime_checkable
class HasFeatures(Protocol):
    """A model in two halves."""

    def features(self, images: Tensor) -> Tensor:
        """What the last layers see, (B, D, Y, X)."""

    def classify(self, features: Tensor) -> Tensor:
        """The logits, (B, K), of such features."""


@torch.enable_grad()
def activation(model: nn.Module, images: Float[Tensor, "B C Y X"], classes: Int[Tensor, " B"]) -> Tensor | None:
    """How much each place speaks for a class, from 0 to 1 within an image; (B, Y, X).

    None where the model has no such halves, or its features no places, as in a transformer that reads a class token.
    """
    if not isinstance(model, HasFeatures):
        return None
    a_BDYX = model.features(images).detach().requires_grad_()
    if a_BDYX.ndim != 4:
        return None
    chosen = model.classify(a_BDYX).gather(1, classes[:, None]).sum()
    (gradient_BDYX,) = torch.autograd.grad(chosen, a_BDYX)
    alpha_BD11 = gradient_BDYX.mean((2, 3), keepdim=True)  # equation 1
    map_BYX = (alpha_BD11 * a_BDYX.detach()).sum(1).relu()  # equation 2
    map_BYX = map_BYX / map_BYX.amax((1, 2), keepdim=True).clamp(min=torch.finfo(map_BYX.dtype).tiny)
    return functional.interpolate(map_BYX[:, None], images.shape[2:], mode="bilinear", align_corners=False)[:, 0]


@torch.no_grad()
def figure(
    model: nn.Module, images: Float[Tensor, "B C Y X"], said: Int[Tensor, " B"], titles: list[str]
) -> "Figure | None":
    """Images, and below each what speaks for the class that is said; None where the model has no places."""
    from matplotlib.figure import Figure

    found = activation(model, images, said)
    if found is None:
        return None
    rows = -(-len(images) // SHOWN)
    drawn = Figure(figsize=(2 * SHOWN, 4.4 * rows), layout="constrained")
    axes = drawn.subplots(2 * rows, SHOWN, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for number, (image, heat, title) in enumerate(zip(images.cpu().numpy(), found.cpu().numpy(), titles, strict=True)):
        above, below = axes[2 * (number // SHOWN) : 2 * (number // SHOWN) + 2, number % SHOWN]
        shown = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        above.imshow(shown, cmap="gray", vmin=0, vmax=1)
        above.set_title(title, fontsize=9)
        below.imshow(np.atleast_3d(shown).mean(2), cmap="gray", vmin=0, vmax=1)
        below.imshow(heat, cmap="inferno", alpha=0.7 * heat, vmin=0, vmax=1)
    return drawn
