"""How a metric grows with the training data: the same training on nested parts of these.

A part is another answer of `split_of`: whole groups of the training split are left out, and the other splits stay as
they are. So whatever is fitted to the training split is fitted to the part, baselines too, and a run on a part is known
by the hash of its data.
"""

import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.config_io import fingerprint, to_json
from ..core.errors import Problem
from ..core.files import save_figure, write_atomically
from ..core.runs import RUNS
from ..core.table import aligned
from ..splits.division import LEFT_OUT, Division
from ..statistics.metrics import ANYWHERE, DIFFERENCE, Metric
from ..task import Config
from .train_or_reuse import Estimate, estimate, measured, trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = Path("curves")


@dataclass(frozen=True)
class Part(Division):
    """A part of the training split, which lies within each larger part of the same seed."""

    moves: ClassVar[tuple[str, ...]] = ("train",)
    halvings: int
    """How often the training split is halved."""
    seed: int

    def __str__(self) -> str:
        return f"1/{2**self.halvings} of the training data, chosen by seed {self.seed}"

    @property
    def salt(self) -> int:
        return self.seed

    def at(self, position: float) -> str:
        return "train" if position < 2.0**-self.halvings else LEFT_OUT


@dataclass(frozen=True, kw_only=True)
class Point:
    """What was measured on parts of one size, seed by seed."""

    halvings: int
    examples: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    """Of the first metric."""
    baselines: list[dict[str, float]] = field(default_factory=list)

    @property
    def size(self) -> float:
        """Training examples, on average: groups differ in size."""
        return statistics.fmean(self.examples)

    def baseline(self, name: str) -> float:
        """The mean of a baseline."""
        return statistics.fmean(baselines[name] for baselines in self.baselines)


class Curve:
    """A configuration, trained on several sizes with several seeds."""

    def __init__(self, config: Config, points: int, seeds: int) -> None:
        self.config = config
        self.seeds = range(config.seed, config.seed + seeds)
        self.points = [Point(halvings=halvings) for halvings in reversed(range(points))]
        self.name, self.metric, self.data, self.size = "", Metric(0.0, None), "", 0

    def run(self) -> None:
        """Train what is not trained yet: seed by seed, so that what there is after a while is a whole curve."""
        whole = self.config.task()
        self.data, self.size = whole.data_hash(), len(whole.data("train"))
        for seed in self.seeds:
            for point in self.points:
                self.make(point, seed)

    def make(self, point: Point, seed: int) -> None:
        """Train and measure on one part; all of the data are trained on where `train` puts its runs, and found there.

        Raises:
            Problem: the data cannot be divided like this.
        """
        part = Part(point.halvings, seed) if point.halvings else None
        print(part or f"all of the training data, seed {seed}", file=sys.stderr)
        config = replace(self.config, seed=seed)
        task = config.task()
        task.division = part
        size = len(task.data("train"))
        if part and not 0 < size < self.size:
            raise Problem(
                f"{part}: nothing was left out, or nothing is left. There are too few groups for so many --points, "
                "or data.py does not give split_of and lock the task's division"
            )
        metrics = measured(trained(config, task, CURVES if part else RUNS), config, task)
        self.name, self.metric = next(iter(metrics.items()))
        point.examples.append(size)
        point.values.append(self.metric.value)
        point.baselines.append(task.baselines("validation"))

    def mean(self, point: Point) -> Estimate:
        """The metric on parts of one size."""
        return estimate(point.values, limits=self.metric.limits)

    @property
    def gain(self) -> Estimate:
        """What the last doubling of the data changed, seed by seed."""
        pairs = zip(self.points[-1].values, self.points[-2].values, strict=True)
        return estimate([whole - half for whole, half in pairs], limits=DIFFERENCE if self.metric.share else ANYWHERE)

    def table(self) -> Iterator[str]:
        """Lines of what was measured."""
        better = "higher" if self.metric.higher_is_better else "lower"
        steps = self.config.train.steps
        title = self.name.replace("_", " ")
        yield f"{title} on the validation split, {better} is better; seeds: {len(self.seeds)}, steps: {steps}"
        means = [self.mean(point) for point in self.points]
        figures = {title: [mean.mean for mean in means]}
        if len(self.seeds) > 1:
            for end, values in zip(("from", "to"), zip(*(mean.ci95 or () for mean in means), strict=True), strict=True):
                figures[f"  95 % interval {end}"] = list(values)
        for baseline in self.baselines():
            figures[f"  {baseline}"] = [point.baseline(baseline) for point in self.points]
        rows = [[name, *(f"{value:.4f}" for value in values)] for name, values in figures.items()]
        sizes = ["training examples", *(f"{point.size:,.0f}" for point in self.points)]
        yield from aligned([sizes, *rows], "<30", *[">10"] * len(self.points))
        yield from self.cautions()

    def baselines(self) -> list[str]:
        """The baselines by how good they are on all of the data, from weak to strong."""
        last = self.points[-1]
        return sorted(last.baselines[0], key=last.baseline, reverse=not self.metric.higher_is_better)

    def cautions(self) -> Iterator[str]:
        """What the last doubling was worth, and what the figures do not say."""
        gain = self.gain
        said = f"The last doubling changed it by {gain.mean:+.4f}"
        if gain.ci95 is None:
            yield f"{said}. One seed tells no difference from chance: --seeds 3 gives intervals."
        else:
            low, high = gain.ci95
            chance = "" if low > 0 or high < 0 else ", which may be chance"
            yield f"{said}, 95 % interval {low:+.4f} to {high:+.4f} in pairs of one seed{chance}."
        yield "Each size was trained for as many steps, so a small one was seen more often."

    def results(self) -> dict[str, Any]:
        """All of it."""
        return {
            "metric": self.name,
            "higher_is_better": self.metric.higher_is_better,
            "seeds": list(self.seeds),
            "steps": self.config.train.steps,
            "data": self.data,
            "points": [
                {
                    "share": 2.0**-point.halvings,
                    "examples": point.examples,
                    "values": point.values,
                    **self.mean(point)._asdict(),
                    "baselines": {baseline: point.baseline(baseline) for baseline in self.baselines()},
                }
                for point in self.points
            ],
            "last_doubling": self.gain._asdict(),
        }

    def write(self) -> Path:
        """The figures and the picture in `curves/`, called after the configuration."""
        CURVES.mkdir(exist_ok=True)
        what = f"{to_json(self.config)} {self.data} {len(self.points)} {len(self.seeds)}"
        file = CURVES / f"{self.config.preset}-{fingerprint(what)[:8]}.json"
        write_atomically(file, json.dumps(self.results(), indent=2) + "\n")
        save_figure(self.picture(), file.with_suffix(".png"))
        return file

    def picture(self) -> "Figure":
        """The metric and its baselines against the number of examples."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.subplots()
        sizes = [point.size for point in self.points]
        for baseline in self.baselines():
            values = [point.baseline(baseline) for point in self.points]
            axes.plot(sizes, values, "--", linewidth=1, label=f"{baseline}, {values[-1]:.3f} at last")
        for point in self.points:
            axes.plot([point.size] * len(point.values), point.values, ".", color="black", alpha=0.3)
        title = self.name.replace("_", " ")
        means = [self.mean(point) for point in self.points]
        axes.plot(sizes, [mean.mean for mean in means], "o-", color="black", label=title)
        for size, mean in zip(sizes, means, strict=True):
            axes.plot([size] * 2, mean.ci95 or [mean.mean] * 2, "_-", color="black")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        axes.set(xlabel="training examples", ylabel=title, title="What more data are worth", ylim=self.limits())
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        return figure

    def limits(self) -> tuple[float, float]:
        """What the plot shows: every run and the best baseline; wide intervals and weak baselines may reach out."""
        best = self.baselines()[-1:]
        shown = [value for point in self.points for value in (*point.values, *map(point.baseline, best))]
        margin = 0.3 * (max(shown) - min(shown)) or 0.1
        return min(shown) - margin, max(shown) + margin
