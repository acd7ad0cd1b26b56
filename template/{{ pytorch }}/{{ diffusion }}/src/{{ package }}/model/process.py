"""The diffusion process: noise is added in T steps, and a network learns to say what was there before.

Times and symbols are those of Ho et al. 2020 (DDPM, arXiv:2006.11239): x_0 is an image with pixels from -1 to 1, x_T is
noise, t is 1 to T in between, and index 0 stands for no noise at all, so that a sampler can end there.

    alpha_t = sqrt(ᾱ_t)        the signal's share      x_t = alpha_t x_0 + sigma_t ε        (equation 4)
    sigma_t = sqrt(1 - ᾱ_t)    the noise's share       SNR_t = alpha_t² / sigma_t²

What the network says of x_t is one of three things, each of which gives the other two:

    epsilon    ε                              Ho et al., equation 14
    x0         x_0
    v          alpha_t ε - sigma_t x_0        Salimans & Ho 2022, arXiv:2202.00512, section 4 and appendix D

Dimensions: B batch, C channels, Y, X rows and columns.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..config import DiffusionConfig

LARGEST_BETA = 0.999
"""Nichol & Dhariwal 2021, below equation 17: no singularity at T."""
OFFSET = 0.008
"""s of their equation 17: the first steps are not too small."""

Images = Float[Tensor, "B C Y X"]


@dataclass(frozen=True)
class Process:
    """The schedule, and the relations between an image, its noisy version and what the network says."""

    config: DiffusionConfig
    alpha_bar: Float[Tensor, " T1"]
    """ᾱ_t of t = 0 to T, float64; ᾱ_0 = 1."""

    def at(self, values: Float[Tensor, " T1"], t: Int[Tensor, " B"], like: Tensor) -> Float[Tensor, "B 1 1 1"]:
        """`values`, float64, at the times of a batch, in the type and on the device of `like`."""
        return values.to(like.dtype).to(like.device)[t].view(-1, 1, 1, 1)

    def alpha(self, t: Int[Tensor, " B"], like: Tensor) -> Float[Tensor, "B 1 1 1"]:
        return self.at(self.alpha_bar.sqrt(), t, like)

    def sigma(self, t: Int[Tensor, " B"], like: Tensor) -> Float[Tensor, "B 1 1 1"]:
        return self.at((1 - self.alpha_bar).sqrt(), t, like)

    @property
    def snr(self) -> Float[Tensor, " T1"]:
        """The signal-to-noise ratio at each time, float64; infinite at 0."""
        return self.alpha_bar / (1 - self.alpha_bar)

    def noisy(self, x0: Images, noise: Images, t: Int[Tensor, " B"]) -> Images:
        """x_t (equation 4)."""
        return self.alpha(t, x0) * x0 + self.sigma(t, x0) * noise

    def goal(self, x0: Images, noise: Images, t: Int[Tensor, " B"]) -> Images:
        """What the network should say of x_t."""
        if self.config.target == "epsilon":
            return noise
        if self.config.target == "x0":
            return x0
        return self.alpha(t, x0) * noise - self.sigma(t, x0) * x0

    def image(self, said: Images, x: Images, t: Int[Tensor, " B"]) -> Images:
        """x_0, from what the network said of x_t."""
        if self.config.target == "epsilon":
            return (x - self.sigma(t, x) * said) / self.alpha(t, x)
        if self.config.target == "x0":
            return said
        return self.alpha(t, x) * x - self.sigma(t, x) * said

    def noise(self, x0: Images, x: Images, t: Int[Tensor, " B"]) -> Images:
        """ε, from x_t and what x_0 is taken for; t is at least 1."""
        return (x - self.alpha(t, x) * x0) / self.sigma(t, x)

    def weight(self, t: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
        """How much the squared error of a time counts, float32.

        min-snr: min(SNR_t, gamma) for x_0, divided by SNR_t for ε and by SNR_t + 1 for v, which weighs the error of x_0
        alike whatever the target (Hang et al. 2023, arXiv:2303.09556, section 3.4).
        """
        if self.config.weighting == "constant":
            return torch.ones(len(t), device=t.device)
        signal, gamma = self.alpha_bar, self.config.gamma
        noise = 1 - signal
        weights = {
            "x0": self.snr.clamp(max=gamma),
            "epsilon": (gamma * noise / signal).clamp(max=1),  # min(SNR, gamma) / SNR
            "v": torch.minimum(signal, gamma * noise),  # min(SNR, gamma) / (SNR + 1)
        }
        return weights[self.config.target].float().to(t.device)[t]

    def posterior(self, x0: Images, x: Images, t: Int[Tensor, " B"]) -> tuple[Images, Float[Tensor, "B 1 1 1"]]:
        """Mean and variance of q(x_{t-1} | x_t, x_0) (equations 6 and 7)."""
        now, before = self.alpha_bar[1:], self.alpha_bar[:-1]
        beta = 1 - now / before
        rows = torch.stack(
            (
                before.sqrt() * beta / (1 - now),  # of x_0
                (now / before).sqrt() * (1 - before) / (1 - now),  # of x_t
                (1 - before) / (1 - now) * beta,  # β̃_t
            )
        )
        of_x0, of_x, variance = (self.at(row, t - 1, x) for row in rows)
        return of_x0 * x0 + of_x * x, variance


def build_process(config: DiffusionConfig) -> Process:
    """The process of a configuration.

    linear    β_t rises evenly from 0.0001 to 0.02 in 1,000 steps (Ho et al., section 4), and in proportion in others
    cosine    ᾱ_t = f(t) / f(0), f(t) = cos²((t/T + s) / (1 + s) π/2) (Nichol & Dhariwal 2021, arXiv:2102.09672,
              equation 17), with β_t at most 0.999
    """
    steps = config.steps
    if config.schedule == "linear":
        scale = 1000 / steps
        beta = torch.linspace(1e-4 * scale, 0.02 * scale, steps, dtype=torch.float64)
    else:
        t = torch.arange(steps + 1, dtype=torch.float64) / steps
        f = ((t + OFFSET) / (1 + OFFSET) * math.pi / 2).cos() ** 2
        beta = 1 - f[1:] / f[:-1]
    alpha_bar = torch.cat((torch.ones(1, dtype=torch.float64), (1 - beta.clamp(max=LARGEST_BETA)).cumprod(0)))
    return Process(config, alpha_bar)
