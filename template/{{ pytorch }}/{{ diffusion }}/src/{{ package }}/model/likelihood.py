"""The variational bound on the likelihood, in bits per dimension (Ho et al. 2020, arXiv:2006.11239, equation 5).

    L_T                    how far x_T is from noise
    L_{t-1}, t = 2 to T    1/2 (SNR_{t-1} - SNR_t) (x_0 - x̂_0(x_t))²: equation 8, in the form of Kingma et al. 2021
                           (arXiv:2107.00630, equation 13)
    L_0                    -ln p(x_0 | x_1), of a Gaussian around x̂_0(x_1) over the width of a level: equation 13

The variance of L_0 is β̃_2, since β̃_1 is 0 (Nichol & Dhariwal 2021). The middle terms are estimated, without bias, at
`STRATA` times, each as likely as ln SNR falls there, which makes them about equally large.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .process import Images, Process
from .sampling import Says

STRATA = 20


@torch.no_grad()
def bits_per_dimension(
    process: Process, says: Says, x0: Images, levels: int, generator: torch.Generator
) -> Float[Tensor, " B"]:
    """Of each image, pixels from -1 to 1, in `levels` steps; `generator` is on the CPU."""
    total = prior(process, x0) + decoded(process, says, x0, levels, noise_like(x0, generator))
    snr = process.snr
    fall = (snr[1:-1] / snr[2:]).log()  # of t = 2 to T
    chance = fall / fall.sum()
    for number in range(STRATA):
        place = (number + torch.rand(len(x0), generator=generator, dtype=torch.float64)) / STRATA
        row = torch.searchsorted(chance.cumsum(0), place).clamp(max=len(chance) - 1)
        t = (row + 2).to(x0.device)
        error = (x0 - image(process, says, process.noisy(x0, noise_like(x0, generator), t), t)) ** 2
        weight = 0.5 * (snr[row + 1] - snr[row + 2]) / (chance[row] * STRATA)
        total = total + weight.to(x0.dtype).to(x0.device) * error.sum((1, 2, 3))
    return total / (x0[0].numel() * math.log(2))


def image(process: Process, says: Says, x: Images, t: Tensor) -> Images:
    """x̂_0, cut off where pixels end."""
    return process.image(says(x, t), x, t).clamp(-1, 1)


def noise_like(x: Images, generator: torch.Generator) -> Images:
    """ε."""
    return torch.randn(x.shape, generator=generator).to(x)


def prior(process: Process, x0: Images) -> Float[Tensor, " B"]:
    """L_T: KL(q(x_T | x_0) || N(0, 1)), in nats."""
    signal = process.alpha_bar[-1].item()
    return 0.5 * (signal * x0**2 - signal - math.log1p(-signal)).sum((1, 2, 3))


def decoded(process: Process, says: Says, x0: Images, levels: int, noise: Images) -> Float[Tensor, " B"]:
    """L_0, in nats: the first and the last level reach to infinity."""
    first = torch.ones(len(x0), dtype=torch.long, device=x0.device)
    mean = image(process, says, process.noisy(x0, noise, first), first)
    _, variance = process.posterior(x0, x0, first + 1)
    half = 1 / levels  # of the distance between two levels, from -1 to 1
    upper, lower = (x0 - mean + half) / variance.sqrt(), (x0 - mean - half) / variance.sqrt()
    above, below = torch.special.ndtr(upper.double()), torch.special.ndtr(lower.double())
    above = torch.where(x0 > 1 - half, 1.0, above)
    below = torch.where(x0 < -1 + half, 0.0, below)
    return -(above - below).clamp(min=1e-12).log().sum((1, 2, 3)).to(x0.dtype)
