"""What the page is made from: the files of a run, and what its task shows of the examples."""

import inspect
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...splits import ledger
from ...splits.splits import Entry, locked
from ...statistics.metrics import Result

if TYPE_CHECKING:
    from ...evaluation.evaluation import Evaluation


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything that the page shows."""

    project: str
    results: dict[str, Any]
    """results.json."""
    history: list[dict[str, Any]]
    """metrics.jsonl."""
    config: dict[str, Any]
    environment: dict[str, Any]
    source: str
    """What the data are called in their lock."""
    files: list[Entry]
    openings: list[dict[str, Any]]
    """The ledger's entries for these data."""
    said: str
    """examples.txt."""
    picture: bytes
    """validation.png."""
    caption: str
    """What the task calls that picture."""
    portraits: dict[int, str | np.ndarray | None]
    """What is to be seen of each example in results.json, by its index."""

    @property
    def metric(self) -> tuple[str, Result]:
        """The first metric, which has the floors."""
        name, values = next(iter(self.results["metrics"].items()))
        return name, Result.of(values)


def gather(evaluation: "Evaluation", results: dict[str, Any]) -> Material:
    """The material of a run whose other files were written."""
    task, hashed = evaluation.task, evaluation.environment["data"]
    source, files = locked(hashed)
    shown = [entry["index"] for end in (results["examples"] or {}).values() for entry in end]
    return Material(
        project=__name__.partition(".")[0],
        results=results,
        history=evaluation.history,
        config=asdict(evaluation.config),
        environment=evaluation.environment,
        source=source,
        files=files,
        openings=[entry for entry in ledger.read() if entry["data"] == hashed],
        said=evaluation.examples,
        picture=(evaluation.run / "report" / "validation.png").read_bytes(),
        caption=(inspect.getdoc(task.picture) or "").split("\n")[0],
        portraits={index: task.portray(index) for index in shown},
    )
