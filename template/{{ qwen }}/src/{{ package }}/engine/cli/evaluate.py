"""The command `evaluate`."""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from ...presets import agent_task
from ..core.errors import Problem
from .common import opened
from .report import show_evaluation


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Play the validation tasks with a finished run and with the base that it came from."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    final: bool = False
    """Play the sealed test tasks instead, once, and record it in ledger.jsonl."""
    again: bool = False
    """With --final: open them for other weights too; that is counted, and every later report says so."""
    benchmark: bool = False
    """Play the tasks of AgentBench's file that the run was started with (--data.benchmark) instead."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """What generates: vllm plays the merged model in 16 bits, and has to be installed (the extra vllm)."""

    def __call__(self) -> None:
        from ..evaluation.evaluation import evaluate
        from ..report.results import evaluate_finally
        from ..statistics.metrics import Result, show

        if self.again and not self.final:
            raise Problem("--again goes with --final: the validation tasks may be played as often as you like")
        if self.final and (self.benchmark or self.engine != "transformers"):
            raise Problem("--final stands alone: it plays the test tasks with transformers")
        run, config = opened(self.run)
        if not self.final:
            split = "benchmark" if self.benchmark else "validation"
            show_evaluation(evaluate(run, config, agent_task(), split, self.engine))
            return
        entry, new = evaluate_finally(run, lambda: evaluate(run, config, agent_task(), "test").results, self.again)
        print(f"{entry['run']} on the test split, {'now' if new else 'as it was'} recorded at {entry['time']}\n")
        show({name: Result.of(values) for name, values in entry["results"].items()})
