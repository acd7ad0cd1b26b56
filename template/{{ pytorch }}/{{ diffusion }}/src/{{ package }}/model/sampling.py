"""From noise to images: DDIM, DDPM and DPM-Solver++(2M), and the guidance by a class.

A sampler walks from T to 0 over `steps` times that lie evenly, both ends included. At each it asks the network what
x_0 is, cuts that off at the range of pixels, and moves on; x_t itself is never cut off. The last step gives x_0.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..config import Sampler
from ..engine.core.errors import Problem
from .process import Images, Process

Says = Callable[[Images, Int[Tensor, " B"]], Images]
"""What a network says of x_t at the times t."""
Bar = Callable[[Sequence[tuple[int, int]]], Iterable[tuple[int, int]]]
"""Goes through the steps and shows how far it has come."""


def times(process: Process, steps: int) -> list[int]:
    """T = t_0 > t_1 > ... > t_steps = 0.

    Raises:
        Problem: the process has fewer steps.
    """
    last = process.config.steps
    if steps > last:
        raise Problem(f"{steps} steps of a sampler are more than the process has: --diffusion.steps is {last}")
    return [round(last * (steps - number) / steps) for number in range(steps + 1)]


def guided(model: nn.Module, y: Int[Tensor, " B"], nothing: int, guidance: float) -> Says:
    """What the network says of the classes `y`, led away from what it says of no class, which is class `nothing`.

    Ho & Salimans 2022, arXiv:2207.12598, equation 6, where `guidance` is 1 + w: 1 is the class alone, 0 is none.
    """

    def says(x: Images, t: Int[Tensor, " B"]) -> Images:
        if guidance == 1:
            return model(x, t, y)
        both = model(torch.cat((x, x)), torch.cat((t, t)), torch.cat((y, torch.full_like(y, nothing))))
        of_class, of_none = both.chunk(2)
        return of_none + guidance * (of_class - of_none)

    return says


def start(shape: Sequence[int], generators: Sequence[torch.Generator], device: torch.device) -> Images:
    """x_T: image i from a generator of its own, so that it does not depend on how many are drawn with it."""
    return torch.stack([torch.randn(*shape, generator=generator) for generator in generators]).to(device)


@torch.no_grad()
def sample(
    process: Process,
    says: Says,
    x: Images,
    sampler: Sampler,
    steps: int,
    generators: Sequence[torch.Generator],
    *,
    clip: bool = True,
    bar: Bar = iter,
) -> Images:
    """x_0, from x_T; `generators`, on the CPU, give the fresh noise of each image, which ddpm alone needs.

    `clip` cuts what x_0 is taken for off at -1 and 1, where pixels end.
    """
    earlier: tuple[int, Images] | None = None  # the time before, and what x_0 was taken for then
    for t, after in bar([*pairwise(times(process, steps))]):
        now = torch.full((len(x),), t, device=x.device)
        x0 = process.image(says(x, now), x, now)
        x0 = x0.clamp(-1, 1) if clip else x0
        if after == 0:
            return x0
        if sampler == "dpm-solver":
            x, earlier = second_order(process, x, x0, t, after, earlier), (t, x0)
        else:
            x = first_order(process, x, x0, t, after, generators if sampler == "ddpm" else None)
    return x


def first_order(
    process: Process, x: Images, x0: Images, t: int, after: int, generators: Sequence[torch.Generator] | None
) -> Images:
    """DDIM's step from t to `after` (Song et al. 2021, arXiv:2010.02502, equations 12 and 16).

    Without noise, eta = 0; with `generators`, eta = 1, which for one step of the process is DDPM's (Ho et al.,
    algorithm 2, with the variance β̃_t).
    """
    now, then = process.alpha_bar[t].item(), process.alpha_bar[after].item()
    eta = 0.0 if generators is None else 1.0
    spread = eta * math.sqrt((1 - then) / (1 - now) * (1 - now / then))
    noise = process.noise(x0, x, torch.full((len(x),), t, device=x.device))
    moved = math.sqrt(then) * x0 + math.sqrt(max(0.0, 1 - then - spread**2)) * noise
    if generators is None:
        return moved
    return moved + spread * start(x.shape[1:], generators, x.device).to(x.dtype)


def second_order(
    process: Process, x: Images, x0: Images, t: int, after: int, earlier: tuple[int, Images] | None
) -> Images:
    """DPM-Solver++(2M)'s step from t to `after` (Lu et al. 2022, arXiv:2211.01095, algorithm 2).

        λ = ln(alpha / sigma),  h = λ_after - λ_t,  r = (λ_t - λ_earlier) / h
        D = (1 + 1 / 2r) x0_t - 1 / 2r x0_earlier
        x_after = sigma_after / sigma_t x_t - alpha_after (exp(-h) - 1) D

    The first step knows of no earlier one, and takes x0_t for D: DDIM's step.
    """
    alpha, sigma = process.alpha_bar.sqrt().tolist(), (1 - process.alpha_bar).sqrt().tolist()
    h = log_snr(process, after) - log_snr(process, t)
    towards = x0
    if earlier is not None:
        r = (log_snr(process, t) - log_snr(process, earlier[0])) / h
        towards = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * earlier[1]
    return sigma[after] / sigma[t] * x - alpha[after] * math.expm1(-h) * towards


def log_snr(process: Process, t: int) -> float:
    """λ_t = ln(alpha_t / sigma_t)."""
    signal = process.alpha_bar[t].item()
    return 0.5 * (math.log(signal) - math.log1p(-signal))


def between(a: Float[Tensor, "C Y X"], b: Float[Tensor, "C Y X"], share: float) -> Float[Tensor, "C Y X"]:
    """The noise on the great circle from a to b, which is as long as they are (Song et al. 2021, equation 67)."""
    angle = torch.acos((a * b).sum() / (a.norm() * b.norm()))
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
