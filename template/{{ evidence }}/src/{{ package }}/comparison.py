"""Whether one of two is better, from pairs: the same validation examples, or the same seeds.

A difference is always B - A. Adopt a change only on evidence beyond the variance between trainings (Godbole et al.
2023, Deep Learning Tuning Playbook): pairs of examples do not show that variance, pairs of seeds do.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from . import runs
from .errors import Problem
from .intervals import ANYWHERE, DIFFERENCE, FEWEST, Metric, independent, interval
from .report import Evaluation
from .series import RESULTS, t_interval

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


def over_seeds(a: Sequence[float], b: Sequence[float], higher_is_better: bool, share: bool = False) -> Comparison:
    """The same metric of trainings with the same seeds, in the same order; `share` says whether it lies from 0 to 1."""
    differences = np.subtract(b, a)
    outcome = Comparison(
        a=float(np.mean(a)),
        b=float(np.mean(b)),
        difference=float(differences.mean()),
        higher_is_better=higher_is_better,
    )
    return judged(outcome, differences, t_interval(differences.tolist(), DIFFERENCE if share else ANYWHERE))


def compare_runs(a: Path, b: Path) -> dict[str, Comparison]:
    """Every metric of two runs, paired by the examples of the validation split."""
    refuse_other_data([a, b])
    ours, theirs = (Evaluation(run) for run in (a, b))
    metrics, others = (one.task.metrics(one.records) for one in (ours, theirs))
    return corrected({name: over_examples(metrics[name], others[name]) for name in shared(metrics, others)})


def compare_series(a: list[Path], b: list[Path]) -> dict[str, Comparison]:
    """Every metric of trainings with several seeds, paired by seed, as their reports have them.

    Raises:
        Problem: the seeds or the data of the two differ, or a run has no report.
    """
    ours, theirs = by_seed(a), by_seed(b)
    if ours.keys() != theirs.keys():
        seeds, others = (", ".join(map(str, sorted(side))) for side in (ours, theirs))
        raise Problem(f"A has the seeds {seeds} and B {others}: pairs need the same seeds on both sides")
    refuse_other_data([*a, *b])
    pairs = [(reported(ours[seed]), reported(theirs[seed])) for seed in sorted(ours)]
    return corrected(
        {
            name: over_seeds(
                [left[name]["value"] for left, _ in pairs],
                [right[name]["value"] for _, right in pairs],
                pairs[0][0][name]["higher_is_better"],
                pairs[0][0][name].get("share", False),
            )
            for name in shared(*pairs[0])
        }
    )


def shared(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """The metrics that both have.

    Raises:
        Problem: there is none.
    """
    if names := [name for name in a if name in b]:
        return names
    raise Problem(f"the two share no metric: A has {', '.join(a)}, B has {', '.join(b)}")


def refuse_other_data(compared: list[Path]) -> None:
    """Raise a Problem where runs were not trained on the same data and splits."""
    data = {run: runs.load_environment(run)["data"] for run in compared}
    first = compared[0]
    for run in compared:
        if data[run] != data[first]:
            raise Problem(
                f"{first} and {run} have different data or splits (hashes {data[first][:8]} and {data[run][:8]}): "
                "compare runs on the same"
            )


def by_seed(several: list[Path]) -> dict[int, Path]:
    """Runs by their seeds.

    Raises:
        Problem: two have the same.
    """
    found: dict[int, Path] = {}
    for run in several:
        seed = runs.load_config(run).seed
        if seed in found:
            raise Problem(f"{found[seed]} and {run} both have the seed {seed}: name one of them")
        found[seed] = run
    return found


def reported(run: Path) -> dict[str, Any]:
    """The metrics of a run's results.json.

    Raises:
        Problem: it has none.
    """
    runs.weights_of(run)
    if not (run / RESULTS).is_file():
        raise Problem(f"{run} has no report: write it with report {run}")
    metrics: dict[str, Any] = json.loads((run / RESULTS).read_text(encoding="utf-8"))["metrics"]
    return metrics
