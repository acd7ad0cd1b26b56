"""What a report holds, beside what every report does: sections of results.json, and files that quote it."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from . import card
from .training import ADAPTER, MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from .evaluation import Evaluation

RATE = "timing/train_steps_per_second"


def performance(evaluation: "Evaluation") -> dict[str, Any]:
    """Size of the model, and speed and memory of its training, from its record."""
    run = evaluation.run
    rates = [line[RATE] for line in evaluation.history if RATE in line]
    seconds = [episode.seconds for episode in evaluation.after]
    return {
        "parameter_count": numbers(run / MODEL),
        "trained_parameters": numbers(run / (MODEL if evaluation.config.model.adapter == "full" else ADAPTER)),
        "training_steps_per_second": round(rates[-1], 3) if rates else None,
        "episode_seconds": round(sum(seconds) / len(seconds), 3),
        "device": evaluation.environment["hardware"],
        "precision": evaluation.environment["precision"],
    }


def numbers(folder: "Path") -> int:
    """How many numbers the safetensors of a folder hold."""
    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no dict
                size = 1
                for side in tensors.get_slice(name).get_shape():
                    size *= side
                total += size
    return total


def comparisons(evaluation: "Evaluation") -> dict[str, Any]:
    """After the training against before it, in pairs of the same tasks."""
    return {name: asdict(found) | {"verdict": found.verdict} for name, found in evaluation.comparisons.items()}


SECTIONS: dict[str, Callable[["Evaluation"], Any]] = {
    "performance_metrics": performance,
    "after_against_before": comparisons,
}
WRITERS: tuple[Callable[["Evaluation", dict[str, Any]], None], ...] = (card.write,)
