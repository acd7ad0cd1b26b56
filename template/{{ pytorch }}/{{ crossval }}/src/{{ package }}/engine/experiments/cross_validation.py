"""Cross-validation: the same training on other divisions of what is not sealed."""

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import Problem
from ..core.table import aligned
from ..statistics.metrics import Metric
from ..task import Config
from .folds import Fold
from .train_or_reuse import estimate, measured, trained

FOLDS = Path("folds")


class CrossValidation:
    """A configuration, trained once for each fold and repeat."""

    def __init__(self, config: Config, folds: int, repeats: int) -> None:
        self.config = config
        self.folds = [Fold(number, folds, repeat) for repeat in range(1, repeats + 1) for number in range(1, folds + 1)]
        self.metrics: list[dict[str, Metric]] = []
        self.baselines: list[dict[str, float]] = []
        self.ratios: list[float] = []
        self.data = ""

    def run(self) -> None:
        """Train what is not trained yet."""
        self.data = self.config.task().data_hash()
        for fold in self.folds:
            self.make(fold)

    def make(self, fold: Fold) -> None:
        """Train and measure one fold.

        Raises:
            Problem: the data cannot be divided like this.
        """
        print(fold, file=sys.stderr)
        task = self.config.task()
        task.division = fold
        sizes = {split: len(task.data(split)) for split in ("train", "validation")}
        if task.data_hash() == self.data or not all(sizes.values()):
            raise Problem(
                f"{fold} has an empty part: there are too few groups for so many folds, or data.py does not give "
                "split_of and lock the task's division"
            )
        self.ratios.append(sizes["validation"] / sizes["train"])
        self.metrics.append(measured(trained(self.config, task, FOLDS), self.config, task))
        self.baselines.append(task.baselines("validation"))

    def table(self) -> Iterator[str]:
        """Lines of what was measured."""
        first = next(iter(self.metrics[0]))
        yield f"folds: {self.folds[-1].of}, repeats: {self.folds[-1].repeat}, trainings: {len(self.folds)}"
        rows = []
        for name, metric in self.metrics[0].items():
            values = [metrics[name].value for metrics in self.metrics]
            spread = f"from {min(values):.4f} to {max(values):.4f}"
            mean = estimate(values, statistics.fmean(self.ratios), metric.limits)
            rows.append((name.replace("_", " "), f"{mean}; {spread}"))
            if name == first:
                rows += self.beside(values, metric.higher_is_better)
        yield from aligned(rows, "<30", "<")
        yield "Folds share training data; the intervals allow for it (Nadeau & Bengio 2003)."
        yield "A fold's held-out part also chose the checkpoint of its training: the figures are a little optimistic."

    def beside(self, values: list[float], higher_is_better: bool) -> Iterator[tuple[str, str]]:
        """The baselines on the same folds, from weak to strong, and in how many of these each was beaten."""
        means = {
            baseline: statistics.fmean(baselines[baseline] for baselines in self.baselines)
            for baseline in self.baselines[0]
        }
        for baseline, mean in sorted(means.items(), key=lambda item: item[1], reverse=not higher_is_better):
            pairs = zip(values, (baselines[baseline] for baselines in self.baselines), strict=True)
            beaten = sum(value > at if higher_is_better else value < at for value, at in pairs)
            yield f"  {baseline}", f"{mean:.4f}  beaten in {beaten} of {len(values)}"
