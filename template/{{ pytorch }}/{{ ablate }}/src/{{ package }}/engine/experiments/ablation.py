"""What each part of a configuration is worth: trained without it, with the same seeds, beside the whole."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

from ..core.config_io import differences
from ..core.errors import Problem
from ..core.runs import load_environment
from ..core.table import aligned
from ..statistics.metrics import ANYWHERE, DIFFERENCE
from ..task import Config
from .train_or_reuse import Estimate, estimate, measured, trained

BASELINE = "baseline"


def changed(config: Any, name: str, value: Any) -> Any:
    """A configuration in which the field `name`, such as model.dropout, is another.

    Raises:
        Problem: there is no such field.
    """
    field, _, rest = name.partition(".")
    if field not in getattr(config, "__dataclass_fields__", ()):
        raise Problem(f"ablations.py changes a field {name}, which is not there: train --help lists them")
    return replace(config, **{field: changed(getattr(config, field), rest, value) if rest else value})


Changes = Mapping[str, Any] | Callable[[Config], Mapping[str, Any]]
"""Fields and their values, or what says them of the whole configuration."""


def variants(config: Config, ablations: Mapping[str, Changes]) -> dict[str, Config]:
    """The baseline and each ablation of it; those that change nothing in this preset are named and left out."""
    found = {BASELINE: config}
    for name, changes in ablations.items():
        variant = config
        for field, value in (changes(config) if callable(changes) else changes).items():
            variant = changed(variant, field, value)
        if differences(config, variant):
            found[name] = variant
        else:
            print(f"{name}: it is so already, and left out", file=sys.stderr)
    return found


class Ablation:
    """Every variant with every seed."""

    def __init__(self, config: Config, ablations: Mapping[str, Changes], seeds: int) -> None:
        self.variants = variants(config, ablations)
        self.seeds = range(config.seed, config.seed + seeds)
        self.values: dict[str, list[float]] = {name: [] for name in self.variants}
        self.commits: set[str] = set()

    def run(self) -> None:
        """Train what is not trained yet: seed by seed, so that what there is after a while is balanced."""
        for seed in self.seeds:
            for name, variant in self.variants.items():
                print(f"{name}, seed {seed}", file=sys.stderr)
                config = replace(variant, seed=seed)
                task = config.task()
                run = trained(config, task)
                self.commits.add(load_environment(run)["commit"] or "unknown")
                self.name, metric = next(iter(measured(run, config, task).items()))
                self.higher_is_better, self.share = metric.higher_is_better, metric.share
                self.values[name].append(metric.value)

    def difference(self, name: str) -> Estimate:
        """Of a variant to the baseline, seed by seed: what the seed decides for both falls out of it."""
        pairs = zip(self.values[name], self.values[BASELINE], strict=True)
        differences = [variant - baseline for variant, baseline in pairs]
        return estimate(differences, limits=DIFFERENCE if self.share else ANYWHERE)

    def table(self) -> Iterator[str]:
        """Lines of what was measured."""
        better = "higher" if self.higher_is_better else "lower"
        yield f"{self.name.replace('_', ' ')} on the validation split, {better} is better; seeds: {len(self.seeds)}"
        rows = [("", "mean", "difference", "95 % interval of the difference, in pairs of one seed")]
        for name, values in self.values.items():
            told = ("", "")
            if name != BASELINE:
                difference = self.difference(name)
                told = (f"{difference.mean:+.4f}", verdict(difference))
            rows.append((name, f"{fmean(values):.4f}", *told))
        yield from aligned(rows, "<28", ">10", ">12", "<")
        yield from self.cautions()

    def cautions(self) -> Iterator[str]:
        """What the figures do not say by themselves."""
        compared = len(self.values) - 1
        if len(self.seeds) == 1:
            yield "One seed tells no difference from chance: --seeds 3 gives intervals."
        elif compared > 1:
            chance = 1 - 0.95**compared
            yield f"If no part mattered, one of {compared} intervals would exclude 0 with up to {chance:.0%} chance."
        if len(self.commits) > 1:
            commits = ", ".join(sorted(self.commits))
            yield f"These runs are of different code ({commits}): delete the older ones, and they are trained again."


def verdict(difference: Estimate) -> str:
    """The interval, and whether it tells a difference from chance."""
    if difference.ci95 is None:
        return ""
    low, high = difference.ci95
    return f"{low:+.4f} to {high:+.4f}" + ("" if low > 0 or high < 0 else ", may be chance")
