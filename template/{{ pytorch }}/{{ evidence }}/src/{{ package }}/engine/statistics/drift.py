"""Whether two splits come from one distribution, feature by feature.

By the population stability index and the two-sample Kolmogorov-Smirnov test, with Holm's correction over the features.
Pure functions of arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .paired import holm

COLUMNS = 256
"""A vector of at most so many numbers is compared number by number; a longer one, an image or a text by its mean and
spread, since what stands at a place of it means little."""
BINS = 10


@dataclass(frozen=True)
class Shift:
    """How far a feature differs between two samples."""

    feature: str
    psi: float
    p: float
    """Of the Kolmogorov-Smirnov test, after Holm's correction."""


def shifts(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> list[Shift]:
    """Every feature of two samples, the most different first."""
    from scipy.stats import ks_2samp  # takes half a second to import

    names = [name for name in before if name in after]
    corrected = holm([float(ks_2samp(before[name], after[name], method="asymp").pvalue) for name in names])
    found = [Shift(name, psi(before[name], after[name]), p) for name, p in zip(names, corrected, strict=True)]
    return sorted(found, key=lambda shift: -shift.psi)


def columns(batch: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """What is compared of a batch: one number for each of its examples, by the feature's name."""
    found: dict[str, np.ndarray] = {}
    for name, tensor in batch.items():
        values = tensor.double().numpy()
        if values.ndim == 1:
            found[name] = values
        elif values.ndim == 2 and tensor.is_floating_point() and values.shape[1] <= COLUMNS:
            found |= {f"{name}[{i}]": values[:, i] for i in range(values.shape[1])}
        else:
            flat = values.reshape(len(values), -1)
            found |= {f"mean of {name}": flat.mean(1), f"spread of {name}": flat.std(1)}
    return found


def psi(before: np.ndarray, after: np.ndarray) -> float:
    """Population stability index: sum of (p - q) ln(p / q) over bins (Siddiqi 2006, Credit Risk Scorecards, chapter 8).

    The bins are the deciles of the first sample, or its values where they are few; half an example is added to each.
    What chance alone gives is taken off: (bins - 1) (1/n + 1/m) (Yurdakul & Naranjo 2020).
    """
    values = np.unique(before)
    edges = np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]) if len(values) > BINS else values[1:]
    edges = np.unique(edges)
    shares = []
    for sample in (before, after):
        counts = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=len(edges) + 1) + 0.5
        shares.append(counts / counts.sum())
    p, q = shares
    chance = len(edges) * (1 / len(before) + 1 / len(after))
    return max(0.0, float(((p - q) * np.log(p / q)).sum()) - chance)
