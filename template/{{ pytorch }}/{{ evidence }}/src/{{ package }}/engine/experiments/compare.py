"""Two runs, or two series of them, metric by metric, in pairs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core import runs
from ..core.errors import Problem
from ..evaluation.evaluation import Evaluation
from ..statistics.metrics import ANYWHERE, DIFFERENCE, t_interval
from ..statistics.paired import Comparison, corrected, judged, over_examples
from ..task import Config
from ..training.checkpoint import weights_of
from .seeds import RESULTS, seed_of


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


def compare_runs(a: tuple[Path, Config], b: tuple[Path, Config]) -> dict[str, Comparison]:
    """Every metric of two runs, each with its configuration, paired by the examples of the validation split."""
    refuse_other_data([a[0], b[0]])
    ours, theirs = (Evaluation(run, config, config.task()) for run, config in (a, b))
    metrics, others = (one.task.metrics(one.predictions) for one in (ours, theirs))
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
        seed = seed_of(run)
        if seed in found:
            raise Problem(f"{found[seed]} and {run} both have the seed {seed}: name one of them")
        found[seed] = run
    return found


def reported(run: Path) -> dict[str, Any]:
    """The metrics of a run's results.json.

    Raises:
        Problem: it has none.
    """
    weights_of(run)
    if not (run / RESULTS).is_file():
        raise Problem(f"{run} has no report: write it with report {run}")
    metrics: dict[str, Any] = json.loads((run / RESULTS).read_text(encoding="utf-8"))["metrics"]
    return metrics
