"""The command `report`."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from ...presets import PRESETS
from .check import allowed
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
        from ..evaluation.evaluation import Evaluation
        from ..statistics.metrics import show

        run, config = opened(self.run)
        evaluation = Evaluation(run, config, config.task())
        results = write(evaluation)
        if self.json:
            print(json.dumps(results, indent=2))
        else:
            show(evaluation.results)
            print(f"\nreport: {evaluation.run / 'report'}")


def write(evaluation: "Evaluation") -> dict[str, object]:
    """Write a run's report; what its results.json holds."""
    from ..profiling import budgets
    from ..report import results

    return results.write(evaluation, {"budgets": budgets.section(PRESETS["full"](), allowed())})
