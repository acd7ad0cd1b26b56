"""Whether one of two is better, from pairs: the same examples, or the same seeds.

A difference is always B - A. Adopt a change only on evidence beyond the variance between trainings (Godbole et al.
2023, Deep Learning Tuning Playbook): pairs of examples do not show that variance, pairs of seeds do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from jaxtyping import Float

from ..core.errors import Problem
from .metrics import FEWEST, Metric, independent, interval

EXACT = 13
"""With at most so many pairs that differ, every one of the 2^13 = 8,192 ways to swap them is tried."""
PERMUTATIONS = 9999
"""Else so many are drawn."""
SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A metric of A and B."""

    a: float
    b: float
    difference: float
    """B - A."""
    higher_is_better: bool
    pairs: int | None = None
    """Independent pairs; None where the metric has no value for each example, and nothing below can be said."""
    differing: int | None = None
    """Those of them that are not equal: nothing else can speak for either side."""
    ci95: tuple[float, float] | None = None
    """95 % interval of the difference: a paired bootstrap over examples, Student's t over seeds."""
    p: float | None = None
    """Two-sided paired permutation test: how often swapping A and B at random gives so large a difference."""
    p_holm: float | None = None
    """p after Holm's correction (1979) over the metrics of this comparison."""
    smallest_p: float | None = None
    """The least p that so many differing pairs can give."""
    d_z: float | None = None
    """Effect size, Cohen's d_z: the mean difference in standard deviations of the differences."""

    @property
    def verdict(self) -> str:
        """What may be said."""
        if self.p is None or self.p_holm is None or self.smallest_p is None:
            return "no pairs to judge by"
        if self.differing == 0:
            return "equal in every pair"
        if self.p_holm <= SIGNIFICANT:
            return f"{'B' if (self.difference > 0) == self.higher_is_better else 'A'} is better"
        if self.smallest_p > SIGNIFICANT:
            return f"undecided: {self.differing} differing pairs allow no p below {self.smallest_p:.4f}"
        return "no evidence of a difference"


def permutation_p(differences: Float[np.ndarray, " pairs"]) -> float:
    """Two-sided p of the mean difference, if A and B could be swapped in each pair: exact where there are few pairs."""
    differing = differences[differences != 0]
    # Sums of the same numbers in another order differ in the last bits.
    least = abs(differing.sum()) - 1e-12 * np.abs(differing).sum()
    if len(differing) <= EXACT:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(differing))))
        return float(np.mean(np.abs(signs @ differing) >= least))
    rng = np.random.default_rng(0)
    drawn = (differing @ rng.choice((-1.0, 1.0), len(differing)) for _ in range(PERMUTATIONS))
    return (1 + sum(abs(total) >= least for total in drawn)) / (1 + PERMUTATIONS)


def smallest_p(differing: int) -> float:
    """The least that `permutation_p` can give: all differing pairs speak for the same side."""
    return min(1.0, 2.0 ** (1 - differing)) if differing <= EXACT else 1 / (1 + PERMUTATIONS)


def effect_size(differences: Float[np.ndarray, " pairs"]) -> float | None:
    """Cohen's d_z, mean over standard deviation; None where the differences do not vary."""
    sd = differences.std(ddof=1) if len(differences) > 1 else 0.0
    return float(differences.mean() / sd) if sd > 0 else None


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: below a level, they are wrong in any of the tests no more often than that."""
    adjusted, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = least
    return adjusted


def corrected(found: dict[str, Comparison]) -> dict[str, Comparison]:
    """The same with `p_holm` filled in."""
    tested = {name: one.p for name, one in found.items() if one.p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {name: replace(one, p_holm=adjusted.get(name)) for name, one in found.items()}


def judged(outcome: Comparison, differences: np.ndarray, ci95: tuple[float, float] | None) -> Comparison:
    """A comparison with what its differences, one for each independent pair, say."""
    differing = int((differences != 0).sum())
    return replace(
        outcome,
        pairs=len(differences),
        differing=differing,
        ci95=ci95,
        p=permutation_p(differences),
        smallest_p=smallest_p(differing),
        d_z=effect_size(differences),
    )


def over_examples(a: Metric, b: Metric) -> Comparison:
    """Two metrics of the same examples.

    Raises:
        Problem: they are not of the same examples.
    """
    outcome = Comparison(a=a.value, b=b.value, difference=b.value - a.value, higher_is_better=a.higher_is_better)
    if a.per_example is None or b.per_example is None:
        return outcome
    if len(a.per_example) != len(b.per_example) or not same(a.group, b.group):
        raise Problem("the two runs were measured on different examples: compare runs that cut the data alike")
    difference = b.per_example.double() - a.per_example.double()
    sums, sizes = independent(difference, a.group)
    ci95 = interval(difference, a.group) if len(sums) >= FEWEST else None
    return judged(outcome, sums / sizes.mean(), ci95)


def same(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    """Whether two groupings are equal."""
    return a is b if a is None or b is None else torch.equal(a, b)
