"""Two runs, or two series of them, metric by metric, in pairs."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from ..core import runs
from ..core.errors import Problem
from ..evaluation.evaluation import Evaluation
from ..statistics.metrics import ANYWHERE, DIFFERENCE, Result, t_interval
from ..statistics.paired import Comparison, corrected, judged, over_examples
from ..task import Config
from .seeds import reported, seed_of


def over_seeds(a: Sequence[Result], b: Sequence[Result]) -> Comparison:
    """The same metric of runs with the same seeds, in the same order."""
    before, after = ([result.value for result in side] for side in (a, b))
    differences = np.subtract(after, before)
    ci95 = t_interval(differences.tolist(), DIFFERENCE if a[0].share else ANYWHERE)
    outcome = Comparison(
        a=fmean(before),
        b=fmean(after),
        difference=float(differences.mean()),
        higher_is_better=a[0].higher_is_better,
    )
    return judged(outcome, differences, ci95)


def compare_runs(a: tuple[Path, Config], b: tuple[Path, Config]) -> dict[str, Comparison]:
    """Every metric of two runs, each with its configuration, paired by the examples of the validation split."""
    refuse_other_data([a[0], b[0]])
    ours, theirs = (Evaluation(run, config, config.task()) for run, config in (a, b))
    metrics, others = (one.measured.metrics for one in (ours, theirs))
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
    found = reported([side[seed] for side in (ours, theirs) for seed in sorted(ours)])
    before, after = found[: len(ours)], found[len(ours) :]
    names = shared(before[0], after[0])
    return corrected({name: over_seeds(*([run[name] for run in side] for side in (before, after))) for name in names})


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
        seed = seed_of(run)
        if seed in found:
            raise Problem(f"{found[seed]} and {run} both have the seed {seed}: name one of them")
        found[seed] = run
    return found
