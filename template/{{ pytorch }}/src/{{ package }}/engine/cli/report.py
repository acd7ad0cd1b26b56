"""The command `report`."""

import json
from dataclasses import dataclass

from tyro.conf import Positional

from .common import opened


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write results.json, plots and the model card of a finished run."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print results.json."""
    with_tests: bool = False
    """Run the project's tests too, and fill in what depends on them."""

    def __call__(self) -> None:
        from ..evaluation.evaluation import Evaluation
        from ..statistics.metrics import show
        from ..report.results import write
        from ..core.runs import find

        evaluation = Evaluation(find(self.run))
        results = write(evaluation, self.with_tests)
        if self.json:
            print(json.dumps(results, indent=2))
        else:
            show(evaluation.results)
            print(f"\nreport: {evaluation.run / 'report'}")
