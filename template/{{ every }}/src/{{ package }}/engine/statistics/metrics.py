"""Metrics, their confidence intervals, and the baselines that give them meaning."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ..core.json_io import finite
from ..core.table import aligned

Limits = tuple[float, float]
ANYWHERE: Limits = (-math.inf, math.inf)
SHARE: Limits = (0.0, 1.0)
DIFFERENCE: Limits = (-1.0, 1.0)
"""Between which a difference of two shares lies."""
RESAMPLES = 2000
FEWEST = 10
"""With fewer independent examples than this, a bootstrap interval would be too narrow, and none is given."""


class Metric(NamedTuple):
    """A figure of merit on one split."""

    value: float
    per_example: Tensor | None
    """One number for each independent example, with `value` as their mean; None where there is no such thing."""
    higher_is_better: bool = False
    group: Tensor | None = None
    """An integer for each example, where examples depend on each other: those that share a writer, a patient, a
    document. Then the groups are what is independent, and is drawn again for an interval."""
    share: bool = False
    """Whether it lies from 0 to 1, as an accuracy does. An interval around a mean of a few trainings ends there too."""

    @property
    def limits(self) -> Limits:
        """Between which it lies."""
        return SHARE if self.share else ANYWHERE


@dataclass(frozen=True)
class Result:
    """A metric as it is reported."""

    value: float
    ci95: tuple[float, float] | None
    """95 % percentile bootstrap over the examples, or their groups (Efron & Tibshirani 1993, chapter 13)."""
    n: int | None
    """How many examples, or groups of them, the interval rests on."""
    higher_is_better: bool
    baselines: dict[str, float]
    share: bool = False
    """Whether it lies from 0 to 1."""

    def beats(self, baseline: float) -> bool:
        """Whether the value is on the better side of a baseline."""
        return self.value > baseline if self.higher_is_better else self.value < baseline

    def leaves_open(self, baseline: float) -> bool:
        """Whether the baseline lies inside the interval: other examples might have told otherwise."""
        return self.ci95 is not None and self.ci95[0] <= baseline <= self.ci95[1]

    def outcome(self, baseline: float) -> str:
        """How the value stands to a baseline, in words."""
        words = "beaten" if self.beats(baseline) else "not beaten"
        return f"{words}, inside the interval" if self.leaves_open(baseline) else words

    @property
    def remark(self) -> str:
        """What is to be said of the value."""
        if self.ci95:
            low, high = map(rounded, self.ci95)
            return f"95 % interval {low} to {high}, n = {self.n}"
        return "" if self.n is None else f"n = {self.n}, too few for an interval"

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it, which knows no number that is not finite: None stands for it."""
        return finite(asdict(self))

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Result":
        """What `as_dict` gave, also after JSON."""
        ci95 = tuple(map(number, values["ci95"])) if values["ci95"] else None
        baselines = {baseline: number(value) for baseline, value in values["baselines"].items()}
        return cls(**values | {"value": number(values["value"]), "ci95": ci95, "baselines": baselines})


def rounded(value: float) -> str:
    """A value as a person reads it: three decimals, and of one below a hundredth the first two digits that count."""
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 or not math.isfinite(value) else f"{value:.2g}"


def number(value: float | None) -> float:
    """A number of a JSON file, where None stands for one that is not finite."""
    return math.nan if value is None else value


def independent(per_example: Tensor, group: Tensor | None) -> tuple[np.ndarray, np.ndarray]:
    """Sums and sizes of what is independent of each other: the groups, or the examples where there are none."""
    values = per_example.double().numpy()
    if group is None:
        return values, np.ones(len(values), np.int64)
    _, member = np.unique(group.numpy(), return_inverse=True)
    return np.bincount(member, values), np.bincount(member)


def interval(
    per_example: Tensor, group: Tensor | None = None, seed: int = 0, share: bool = False
) -> tuple[float, float]:
    """95 % interval of the mean over the examples: percentiles over resamples of the groups with replacement.

    Where all shares are 1, or all are 0, every resample says the same. What lies at the other end of the interval would
    give that with a probability of 2.5 % (Clopper & Pearson 1934).
    """
    sums, sizes = independent(per_example, group)
    if share and sums.sum() in (0, sizes.sum()):
        from scipy.stats import binomtest  # takes half a second to import

        low, high = binomtest(len(sums) if sums.any() else 0, len(sums)).proportion_ci(0.95)
        return float(low), float(high)
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, len(sums), len(sums)) for _ in range(RESAMPLES))
    low, high = np.percentile([sums[drawn].sum() / sizes[drawn].sum() for drawn in draws], [2.5, 97.5])
    return float(low), float(high)


def t_interval(values: Sequence[float], limits: Limits = ANYWHERE, dependence: float = 0.0) -> tuple[float, float]:
    """95 % interval of the mean of two values or more: mean ± t s √(1 / n + `dependence`), cut off at the limits.

    The mean lies within the limits, so what is cut off never held it: the interval covers it as often as before.
    """
    from scipy.stats import t  # takes half a second to import

    spread = float(np.std(values, ddof=1)) * math.sqrt(1 / len(values) + dependence)
    margin = float(t.ppf(0.975, len(values) - 1)) * spread
    mean = float(np.mean(values))
    return max(mean - margin, limits[0]), min(mean + margin, limits[1])


def summarise(metrics: dict[str, Metric], baselines: dict[str, float]) -> dict[str, Result]:
    """Results of the metrics; the baselines belong to the first."""
    results: dict[str, Result] = {}
    for name, metric in metrics.items():
        ci95 = n = None
        if metric.per_example is not None:
            n = len(independent(metric.per_example, metric.group)[0])
            ci95 = interval(metric.per_example, metric.group, share=metric.share) if n >= FEWEST else None
        its_baselines = {} if results else baselines
        results[name] = Result(metric.value, ci95, n, metric.higher_is_better, its_baselines, metric.share)
    return results


def show(results: Mapping[str, Result]) -> None:
    """Print each metric, and under it its baselines from weak to strong."""
    rows = []
    for name, result in results.items():
        ordered = sorted(result.baselines.items(), key=lambda item: item[1], reverse=not result.higher_is_better)
        rows.append((name.replace("_", " "), rounded(result.value), result.remark))
        rows += [(f"  {baseline}", rounded(at), result.outcome(at)) for baseline, at in ordered]
    print("\n".join(aligned(rows, "<32", ">10", "<")))
