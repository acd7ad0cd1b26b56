"""The learning rate over a run, as a factor of its peak: the schedules that `--train.schedule` names."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..training.config import TrainConfig

Schedule = Callable[[int], float]
"""The factor at a step, counted from 0."""

COOLDOWN = 0.2
"""The share of the steps over which wsd decays."""


def build_schedule(config: "TrainConfig") -> Schedule:
    """The schedule of the configuration, behind a linear warm-up.

    cosine     falls along a cosine to `min_lr_ratio` (Loshchilov & Hutter 2017, arXiv:1608.03983)
    wsd        stays, and falls along a line to `min_lr_ratio` over the last fifth of the steps (warm-up, stable, decay:
               Hu et al. 2024, arXiv:2404.06395)
    constant   stays
    """
    shape = SHAPES[config.schedule]

    def factor(step: int) -> float:
        if step < config.warmup_steps:
            return (step + 1) / config.warmup_steps
        done = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
        low = config.min_lr_ratio
        return low + (1 - low) * shape(done)

    return factor


def cosine(done: float) -> float:
    """From 1 to 0 along half a cosine."""
    return (1 + math.cos(math.pi * done)) / 2


def stable_then_decay(done: float) -> float:
    """1, and over the last fifth along a line to 0."""
    return min(1.0, (1 - done) / COOLDOWN)


def constant(done: float) -> float:
    """1."""
    return 1.0


SHAPES = {"cosine": cosine, "wsd": stable_then_decay, "constant": constant}
