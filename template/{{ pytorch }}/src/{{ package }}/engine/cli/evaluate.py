"""The command `evaluate`."""

from dataclasses import dataclass

from tyro.conf import Positional

from ..core.errors import Problem
from .common import opened


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure a finished run on the validation split, beside its floors."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    final: bool = False
    """Open the sealed test split instead, once, and record it in ledger.jsonl."""
    again: bool = False
    """With --final: open it for other weights too; that is counted, and every later report says so."""

    def __call__(self) -> None:
        from ..evaluation.evaluation import Evaluation
        from ..report.results import evaluate_finally
        from ..splits.seal import SEALED
        from ..statistics.metrics import Result, show

        if self.again and not self.final:
            raise Problem("--again goes with --final: the validation split may be looked at as often as you like")
        run, config = opened(self.run)
        task = config.task()
        if not self.final:
            show(Evaluation(run, config, task).results)
            return
        entry, new = evaluate_finally(run, lambda: Evaluation(run, config, task, SEALED).results, self.again)
        print(f"{entry['run']} on the test split, {'now' if new else 'as it was'} recorded at {entry['time']}\n")
        show({name: Result.of(values) for name, values in entry["results"].items()})
