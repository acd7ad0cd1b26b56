"""results.json, plots and whatever else `contents` lists. Every number was measured by the command that wrote it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.config_io import fingerprint
from ..core.files import save_figure, write_atomically
from ..core.json_io import finite
from ..core.runs import load_environment
from ..evaluation.evaluation import Evaluation, hash_of_weights
from ..splits import ledger
from ..statistics.metrics import Result
from .contents import SECTIONS, WRITERS
from .figures import curves


def evaluate_finally(run: Path, measure: Callable[[], dict[str, Result]], again: bool) -> tuple[dict[str, Any], bool]:
    """The ledger's entry for a run's weights on the sealed test split, and whether the split was opened for it now.

    `measure` evaluates the run on that split, and is called where it has to be opened.

    Raises:
        Problem: it was opened for other weights before, and `again` does not allow it once more.
    """
    environment = load_environment(run)
    identity = {
        "run": run.name,
        "commit": environment["commit"],
        "config": fingerprint(run / "config.json"),
        "data": environment["data"],
        "weights": hash_of_weights(run),
    }
    return ledger.final(identity, lambda: {name: result.as_dict() for name, result in measure().items()}, again)


def write(evaluation: Evaluation, further: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write report/ into the run and return what results.json holds: `further` sections too."""
    folder = evaluation.run / "report"
    folder.mkdir(exist_ok=True)
    history, environment = evaluation.history, evaluation.environment
    measured: dict[str, Any] = {
        "status": "complete",
        "run": evaluation.run.name,
        "name": environment.get("name"),
        "tags": environment.get("tags", []),
        "steps": history[-1]["step"],
        "commit": environment["commit"],
        "data": environment["data"],
        "metrics": {name: result.as_dict() for name, result in evaluation.results.items()},
        "performance": evaluation.performance(),
        **{name: section(evaluation) for name, section in SECTIONS.items()},
        **(further or {}),
        "validation": {
            "leakage": evaluation.leakage(),
            "sealed_test_uses": ledger.uses(environment["data"]),
            "reproducible": None,
        },
    }
    results: dict[str, Any] = finite(measured)
    wrong = [name for name, result in results["metrics"].items() if result["value"] is None]
    if wrong:
        print(f"warning: no finite number for {', '.join(wrong)}: look at metrics() and at the model", file=sys.stderr)
    write_atomically(folder / "results.json", json.dumps(results, indent=2, allow_nan=False) + "\n")
    save_figure(curves(history, evaluation.results), folder / "curves.png")
    for name, figure in evaluation.figures().items():
        save_figure(figure, folder / f"{name}.png")
    if evaluation.samples:
        write_atomically(folder / "samples.txt", evaluation.samples + "\n")
    for writer in WRITERS:
        writer(evaluation, results)
    return results
