"""What results.json says besides the metrics: the best and worst examples and the figures of each class."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..evaluation import classification

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation

SHOWN = 6
"""Examples at each end."""
MANY = 30
"""With more classes than this, a confusion matrix is no longer something to look at."""


def examples(evaluation: "Evaluation") -> dict[str, list[dict[str, Any]]] | None:
    """The examples on which the model does best and worst; None where its metrics know of no two examples.

    A classifier's are ordered by the probability of the truth, others by the first metric.
    """
    score = scores(evaluation)
    if score is None or len(score) < 2:
        return None
    order = score.argsort(descending=True, stable=True).tolist()
    count = min(SHOWN, len(order) // 2)
    ends = {"best": order[:count], "worst": order[::-1][:count]}
    return {end: [example(evaluation, index) for index in indices] for end, indices in ends.items()}


def scores(evaluation: "Evaluation") -> Tensor | None:
    """How well the model does on each example: the higher, the better."""
    if classifies(evaluation):
        logits, y = evaluation.records["logits"].double(), evaluation.records["y"]
        return logits.log_softmax(1).gather(1, y[:, None])[:, 0]
    metric = next(iter(evaluation.metrics.values()))
    if metric.per_example is None:
        return None
    return metric.per_example if metric.higher_is_better else -metric.per_example


def example(evaluation: "Evaluation", index: int) -> dict[str, Any]:
    """One example, and what the model made of it."""
    if not classifies(evaluation):
        per_example = next(iter(evaluation.metrics.values())).per_example
        assert per_example is not None
        return {"index": index, "share": per_example[index].item()}
    probabilities = evaluation.records["logits"][index].double().softmax(0)
    said = int(probabilities.argmax())
    truth = int(evaluation.records["y"][index])
    return {"index": index, "truth": truth, "said": said, "probability": probabilities[said].item()}


def classifies(evaluation: "Evaluation") -> bool:
    """Whether the records are a classifier's: `Task.records` says what those hold."""
    return {"logits", "y"} <= evaluation.records.keys()


def classes(evaluation: "Evaluation") -> dict[str, Any] | None:
    """A classifier's confusion matrix, the figures of each class, and its calibration; None for other models."""
    if not classifies(evaluation):
        return None
    logits, y = (evaluation.records[name].numpy() for name in ("logits", "y"))
    counts = classification.confusion(logits, y)
    return {
        "confusion": counts.tolist() if len(counts) <= MANY else None,
        "per_class": [asdict(figures) for figures in classification.per_class(counts)],
        "calibration": asdict(classification.calibration(logits, y)),
    }
