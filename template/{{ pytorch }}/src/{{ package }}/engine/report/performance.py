"""Size and speed of a trained model."""

from typing import TYPE_CHECKING, Any

import torch

from ..training.device import describe
from ..training.timing import count_parameters, latency_ms

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation


def performance(evaluation: "Evaluation") -> dict[str, Any]:
    """Size and speed, measured now; training's own figures come from its record."""
    rates = [value for line in evaluation.history for name, value in line.items() if name.endswith("_per_second")]
    cuda = evaluation.device.type == "cuda"
    return {
        "parameters": count_parameters(evaluation.model),
        "latency_ms": round(latency_ms(evaluation.task, evaluation.model, evaluation.device), 3),
        "peak_memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 3) if cuda else None,
        f"training_{evaluation.task.unit}_per_second": round(rates[-1], 1) if rates else None,
        "device": describe(evaluation.device),
        "precision": evaluation.device.precision,
    }
