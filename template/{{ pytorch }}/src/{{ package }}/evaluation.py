"""Metrics with confidence intervals, beside the floors that give them meaning."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from .seam import Context, Metric, Task
from .seeding import EvaluationBatches, generator, key

RESAMPLES = 2000
FEWEST = 10
"""With fewer independent examples than this, a bootstrap interval would be too narrow, and none is given."""


@dataclass(frozen=True)
class Result:
    """A metric as it is reported."""

    value: float
    ci95: tuple[float, float] | None
    """95 % percentile bootstrap over the examples (Efron & Tibshirani 1993, chapter 13)."""
    n: int | None
    """How many examples the interval rests on."""
    higher_is_better: bool
    floors: dict[str, float]

    def beats(self, floor: float) -> bool:
        """Whether the value is on the better side of a floor."""
        return self.value > floor if self.higher_is_better else self.value < floor

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Result":
        """What `as_dict` gave, also after JSON."""
        return cls(**values | {"ci95": tuple(values["ci95"]) if values["ci95"] else None})


def interval(per_example: Tensor, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean: percentiles over resamples with replacement."""
    values = per_example.double().numpy()
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def summarise(metrics: dict[str, Metric], floors: dict[str, float]) -> dict[str, Result]:
    """Results of the metrics; the floors belong to the first."""
    results: dict[str, Result] = {}
    for name, metric in metrics.items():
        examples = metric.per_example
        n = None if examples is None else len(examples)
        ci95 = None if examples is None or len(examples) < FEWEST else interval(examples)
        results[name] = Result(metric.value, ci95, n, metric.higher_is_better, {} if results else floors)
    return results


@torch.no_grad()
def measure(
    task: Task,
    model: nn.Module,
    split: str,
    size: int,
    *,
    seed: int,
    limit: int | None = None,
    bf16: bool = False,
    bar: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Metric]]:
    """The records and metrics of a model on a split, in batches of `size`; at most `limit` of them.

    `bar` shows a progress bar where there is a terminal.
    The model's mode and the global generators are left as they were found.
    """
    device = next(model.parameters()).device
    context = Context(0, generator(device, key(seed, "evaluation", split)))
    loader = EvaluationBatches(task.data(split), size, device, limit)
    console = Console(stderr=True)
    batches = track(
        loader,
        f"measuring the {split} split",
        console=console,
        transient=True,
        disable=not (bar and console.is_terminal),
    )
    training = model.training
    model.eval()
    try:
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            records = task.records(model, batches, context)
    finally:
        model.train(training)
    return records, task.metrics(records)


def table(results: dict[str, Result]) -> list[tuple[str, str, str]]:
    """Rows of name, value and remark for a terminal or a page: each metric, then its floors from weak to strong."""
    rows = []
    for name, result in results.items():
        remark = "" if result.n is None else f"n = {result.n}, too few for an interval"
        if result.ci95:
            remark = f"95 % interval {result.ci95[0]:.3f} to {result.ci95[1]:.3f}, n = {result.n}"
        rows.append((name.replace("_", " "), f"{result.value:.3f}", remark))
        ordered = sorted(result.floors.items(), key=lambda item: item[1], reverse=not result.higher_is_better)
        rows += [(f"  {floor}", f"{at:.3f}", "beaten" if result.beats(at) else "not beaten") for floor, at in ordered]
    return rows
