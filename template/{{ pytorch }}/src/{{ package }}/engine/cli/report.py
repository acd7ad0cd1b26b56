"""The command `report`."""

import json
from dataclasses import dataclass

from tyro.conf import Positional

from .common import opened, report


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
        results = report(evaluation)
        if self.json:
            print(json.dumps(results, indent=2))
        else:
            show(evaluation.results)
            print(f"\nreport: {evaluation.run / 'report'}")
