"""The command `report`."""

import json
from dataclasses import dataclass

from tyro.conf import Positional

from ...presets import agent_task
from .common import opened, report


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
