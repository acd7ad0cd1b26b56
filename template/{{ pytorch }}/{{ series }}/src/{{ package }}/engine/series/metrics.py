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
