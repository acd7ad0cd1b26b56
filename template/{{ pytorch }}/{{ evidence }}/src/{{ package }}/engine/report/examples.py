"""What a report shows of single examples: the best and the worst."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation

SHOWN = 6
"""Examples at each end."""
Ends = dict[str, list[dict[str, Any]]]


def examples(evaluation: "Evaluation") -> Ends | None:
    """The examples on which the first metric is best and worst; None where it knows of no two examples."""
    metric = next(iter(evaluation.measured.metrics.values()))
    shares = metric.per_example
    if shares is None:
        return None
    score = shares if metric.higher_is_better else -shares
    return best_and_worst(score, lambda index: {"index": index, "share": shares[index].item()})


def best_and_worst(score: Tensor, told: Callable[[int], dict[str, Any]]) -> Ends | None:
    """What is told of the examples at both ends of a score; None where there are no two examples."""
    if len(score) < 2:
        return None
    order = score.argsort(descending=True, stable=True).tolist()
    count = min(SHOWN, len(order) // 2)
    return {"best": [*map(told, order[:count])], "worst": [*map(told, order[::-1][:count])]}
