"""The command `evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from ...presets import Config
from ..core.errors import Problem
from .common import opened

if TYPE_CHECKING:
    from ..training.parallel import World


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure a finished run on the validation split, beside its baselines."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    final: bool = False
    """Open the sealed test split instead, once, and record it in ledger.jsonl."""
    again: bool = False
    """With --final: open it for other weights too; that is counted, and every later report says so."""

    def __call__(self) -> None:
        from ..evaluation.evaluation import Evaluation
        from ..statistics.metrics import show
        from ..training.parallel import world

        if self.again and not self.final:
            raise Problem("--again goes with --final: the validation split may be looked at as often as you like")
        run, config = opened(self.run)
        with world(config.train.device) as processes:
            if self.final:
                evaluate_finally(run, config, processes, self.again)
                return
            evaluation = Evaluation(run, config, config.task(), world=processes)
            if evaluation.measured.metrics:
                show(evaluation.results)


def evaluate_finally(run: Path, config: Config, world: "World", again: bool) -> None:
    """Measure a run on the sealed test split, where the ledger has no entry for its weights; all processes share that.

    The first one asks the ledger, and tells the others whether there is something to measure.
    """
    from ..evaluation.evaluation import Evaluation
    from ..report import results
    from ..splits import seal
    from ..statistics.metrics import Result, show

    evaluation = Evaluation(run, config, config.task(), seal.SEALED, world)
    if not world.is_main:
        if world.broadcast(None):
            with seal.opened():
                evaluation.measured  # noqa: B018 - this process's part
        return

    def measure() -> dict[str, Result]:
        world.broadcast(True)
        return evaluation.results

    entry, new = results.evaluate_finally(run, measure, again)
    if not new:
        world.broadcast(False)
    print(f"{entry['run']} on the test split, {'now' if new else 'as it was'} recorded at {entry['time']}\n")
    show({name: Result.of(values) for name, values in entry["results"].items()})
