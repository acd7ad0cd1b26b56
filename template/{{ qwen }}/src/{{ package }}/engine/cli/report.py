"""The command `report`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from ...presets import Config, agent_task
from .common import opened

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write results.json, plots and the model card of a finished run."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print results.json."""

    def __call__(self) -> None:
        from ..evaluation.evaluation import evaluate
        from ..report.results import write

        run, config = opened(self.run)
        if self.json:
            print(json.dumps(write(evaluate(run, config, agent_task())), indent=2))
        else:
            report(run, config)


def report(run: Path, config: Config) -> None:
    """Write a run's report, and print what it says."""
    from ..evaluation.evaluation import evaluate
    from ..report.results import write

    evaluation = evaluate(run, config, agent_task())
    write(evaluation)
    show_evaluation(evaluation)
    print(f"\nrun: {run}\nreport: {run / 'report'}")


def show_evaluation(evaluation: "Evaluation") -> None:
    """Print success beside its baselines, what the training changed, and where the failures can be read."""
    from ..statistics.metrics import show

    show(evaluation.results)
    print()
    for name, found in evaluation.comparisons.items():
        if name != "success" and not found.differing:
            continue
        judged = "" if found.p is None else f", p = {found.p:.4f}"
        print(f"{name}: {found.a:.3f} before, {found.b:.3f} after ({found.difference:+.3f}{judged}): {found.verdict}")
    print(f"\n{evaluation.samples.partition(chr(10))[0]}; to read: {evaluation.failures}")
