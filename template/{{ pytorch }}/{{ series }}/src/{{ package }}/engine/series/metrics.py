"""How far forecasts are off, by horizon.

All values are scaled: divided by the deviation that their series has in the training rows, so that series count alike
and nothing held out decides what counts. Windows that overlap are no independent examples: those whose forecasts begin
within one horizon form a block, and an interval draws blocks (Carlstein 1986), as `compare` does.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..statistics.metrics import Metric

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Of the quantiles of a forecast: its median, and the intervals that hold 50, 80 and 95 % of what comes."""
INTERVALS = {80: (1, 5), 95: (0, 6)}
"""The places of both ends among `LEVELS`."""


def blocks(count: int, per_block: int) -> Int[Tensor, " n"]:
    """The block of each of `count` windows that are in order of time."""
    return torch.arange(count) // max(1, per_block)


def root(sums: Float[Tensor, " n"], counts: Tensor, group: Tensor) -> Metric:
    """The root of the mean of squares, of which each window has a sum and a count.

    A window's share in it is the first order of what its squares change, with the root itself as their mean.
    """
    sums, counts = sums.double(), counts.double()
    mean = sums.sum() / counts.sum()
    value = mean.sqrt()
    shares = value + (sums - mean * counts) / counts.mean() / (2 * value.clamp(min=1e-12))
    return Metric(value.item(), shares, group=group)


def nrmse(error: Float[Tensor, "n H K"], seen: Bool[Tensor, "n H K"], group: Int[Tensor, " n"]) -> Metric:
    """Root mean squared error in deviations of the series, over what was seen of these steps."""
    squared = torch.where(seen, error.double() ** 2, 0.0)
    return root(squared.sum((1, 2)), seen.sum((1, 2)), group)


def by_horizon(error: Float[Tensor, "n H K"], seen: Bool[Tensor, "n H K"]) -> np.ndarray:
    """The same of each step ahead, (H,); NaN where nothing was seen."""
    squared = torch.where(seen, error.double() ** 2, 0.0)
    return (squared.sum((0, 2)) / seen.sum((0, 2))).sqrt().numpy()


def mase(
    error: Float[Tensor, "n H K"], seen: Bool[Tensor, "n H K"], naive: Float[Tensor, "n K"], group: Int[Tensor, " n"]
) -> Metric:
    """Mean absolute error, divided by that of the seasonal naive forecast of one step on the training rows.

    (Hyndman & Koehler 2006.) A window whose series never departs from that forecast has no such figure, and is left
    out.
    """
    absolute = torch.where(seen, error.double().abs(), 0.0).sum(1) / seen.sum(1)
    return mean_ratio(absolute, naive, group)


def rmsse(
    error: Float[Tensor, "n H K"],
    seen: Bool[Tensor, "n H K"],
    naive_rms: Float[Tensor, "n K"],
    group: Int[Tensor, " n"],
) -> Metric:
    """Root mean squared error of each window, divided by that of the same naive forecast (Makridakis et al. 2022)."""
    squared = torch.where(seen, error.double() ** 2, 0.0).sum(1) / seen.sum(1)
    return mean_ratio(squared.sqrt(), naive_rms, group)


def mean_ratio(error: Float[Tensor, "n K"], scale: Float[Tensor, "n K"], group: Int[Tensor, " n"]) -> Metric:
    """The mean over the windows, and in each over the targets that have both an error and a scale."""
    there = error.isfinite() & (scale > 0)
    ratio = torch.where(there, error / torch.where(there, scale.double(), 1.0), 0.0)
    kept = there.any(1)
    shares = ratio[kept].sum(1) / there[kept].sum(1)
    return Metric(shares.mean().item(), shares, group=group[kept])


def quantiles_of(paths: Float[Tensor, "n N H K"]) -> Float[Tensor, "n H K Q"]:
    """At each of `LEVELS`, of what was drawn."""
    levels = torch.tensor(LEVELS).to(paths)
    # One window at a time: PyTorch takes no more than 16 million numbers at once.
    return torch.stack([of.quantile(levels, 0) for of in paths]).movedim(1, -1)


def of_quantiles(
    quantiles: Float[Tensor, "n H K Q"],
    truth: Float[Tensor, "n H K"],
    seen: Bool[Tensor, "n H K"],
    group: Int[Tensor, " n"],
) -> dict[str, Metric]:
    """`crps`, in deviations of the series, and how often the truth lies in an interval: `coverage_80` is best at 0.8.

    The first is twice the mean pinball loss over `LEVELS`, which comes to the continuous ranked probability score as
    they become dense (Gneiting & Raftery 2007); of a forecast without doubt, it is the absolute error.
    """
    counts = seen.sum((1, 2)).double()
    off = (truth[..., None] - quantiles).double()
    level = torch.tensor(LEVELS).to(off)
    pinball = 2 * torch.maximum(level * off, (level - 1) * off).mean(-1)
    found = {"crps": mean_of(torch.where(seen, pinball, 0.0).sum((1, 2)), counts, group)}
    for share, ends in INTERVALS.items():
        inside = (inside_interval(quantiles, truth, ends) & seen).sum((1, 2)).double()
        found[f"coverage_{share}"] = mean_of(inside, counts, group)._replace(higher_is_better=True, share=True)
    return found


def inside_interval(
    quantiles: Float[Tensor, "n H K Q"], truth: Float[Tensor, "n H K"], ends: tuple[int, int]
) -> Bool[Tensor, "n H K"]:
    """Whether the truth lies between two quantiles."""
    low, high = ends
    return (quantiles[..., low] <= truth) & (truth <= quantiles[..., high])


def coverage_by_horizon(
    quantiles: Float[Tensor, "n H K Q"], truth: Float[Tensor, "n H K"], seen: Bool[Tensor, "n H K"]
) -> dict[int, np.ndarray]:
    """How often the truth lies in the interval of so many per cent, (H,) for each."""
    return {
        share: ((inside_interval(quantiles, truth, ends) & seen).sum((0, 2)) / seen.sum((0, 2))).numpy()
        for share, ends in INTERVALS.items()
    }


def mean_of(sums: Tensor, counts: Tensor, group: Tensor) -> Metric:
    """A mean over all steps, of which each window has a sum and a count; a window's share is of the first order."""
    mean = sums.sum() / counts.sum()
    return Metric(mean.item(), mean + (sums - mean * counts) / counts.mean(), group=group)
