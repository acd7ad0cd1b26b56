"""What a report holds, beside what every report does: sections of results.json, and files that quote it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..core.files import write_atomically
from ..finetuning.session import MODEL, OUTCOME
from . import model_card

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation


def outcome(evaluation: "Evaluation") -> dict[str, float]:
    """What was measured before the first step and after the last, and the loss of the tokens' frequencies."""
    loaded: dict[str, float] = json.loads((evaluation.run / OUTCOME).read_text(encoding="utf-8"))
    return loaded


def comparisons(evaluation: "Evaluation") -> dict[str, Any]:
    """After the training against before it, in pairs of the same tasks."""
    return {name: asdict(found) | {"verdict": found.verdict} for name, found in evaluation.comparisons.items()}


def publish(evaluation: "Evaluation", results: dict[str, Any]) -> None:
    """Copy the card to the model as its README, so that the model's folder can be uploaded as it is."""
    text = (evaluation.run / "report" / "MODEL_CARD.md").read_text(encoding="utf-8")
    write_atomically(evaluation.run / MODEL / "README.md", text)


SECTIONS: dict[str, Callable[["Evaluation"], Any]] = {
    "while_training": outcome,
    "after_against_before": comparisons,
}
WRITERS: tuple[Callable[["Evaluation", dict[str, Any]], None], ...] = (model_card.write, publish)
