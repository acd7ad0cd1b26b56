"""What a report holds, beside what every report does: sections of results.json, and files that quote it."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from . import card
from .training import ADAPTER, MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from .evaluation import Evaluation


def performance(evaluation: "Evaluation") -> dict[str, Any]:
    """Size of the model, and how long an episode takes it."""
    run = evaluation.run
    seconds = [episode.seconds for episode in evaluation.after]
    return {
        "parameter_count": numbers(run / MODEL),
        "trained_parameters": numbers(run / (MODEL if evaluation.config.model.adapter == "full" else ADAPTER)),
        "episode_seconds": round(sum(seconds) / len(seconds), 3),
        "device": evaluation.environment["hardware"],
        "precision": evaluation.environment["precision"],
    }


def numbers(folder: "Path") -> int:
    """How many numbers the safetensors of a folder hold."""
    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            names = list(tensors.keys())
            total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
    return total


def comparisons(evaluation: "Evaluation") -> dict[str, Any]:
    """After the training against before it, in pairs of the same tasks."""
    return {name: asdict(found) | {"verdict": found.verdict} for name, found in evaluation.comparisons.items()}


SECTIONS: dict[str, Callable[["Evaluation"], Any]] = {
    "performance_metrics": performance,
    "after_against_before": comparisons,
}
WRITERS: tuple[Callable[["Evaluation", dict[str, Any]], None], ...] = (card.write,)
