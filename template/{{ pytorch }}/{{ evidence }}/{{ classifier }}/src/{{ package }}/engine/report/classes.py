"""What a report shows of a classifier: best and worst examples, the figures of each class, and its calibration."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ..evaluation import classification
from ..task import class_names
from . import examples as others
from . import html
from .figures import ACCENT, BAD, INK, LINE

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation

MANY = 30
"""With more classes than this, a confusion matrix is no longer something to look at."""


def examples(evaluation: "Evaluation") -> others.Ends | None:
    """The examples with the most and the least probable truth; of a model that is no classifier, by its metric."""
    if not classifies(evaluation):
        return others.examples(evaluation)
    logits, y = (evaluation.measured.predictions[name] for name in ("logits", "y"))
    probabilities = logits.double().softmax(1)
    names = class_names(evaluation.task, logits.shape[1])

    def told(index: int) -> dict[str, Any]:
        probability, said = probabilities[index].max(0)
        truth = names[int(y[index])]
        return {"index": index, "truth": truth, "said": names[int(said)], "probability": probability.item()}

    return others.best_and_worst(probabilities.gather(1, y[:, None])[:, 0], told)


def classifies(evaluation: "Evaluation") -> bool:
    """Whether the predictions are a classifier's: `Task.predictions` says what those hold."""
    return {"logits", "y"} <= evaluation.measured.predictions.keys()


def classes(evaluation: "Evaluation") -> dict[str, Any] | None:
    """A classifier's confusion matrix, the figures of each class, and its calibration; None for other models."""
    if not classifies(evaluation):
        return None
    logits, y = (evaluation.measured.predictions[name].numpy() for name in ("logits", "y"))
    counts = classification.confusion(logits, y)
    names = class_names(evaluation.task, len(counts))
    return {
        "names": names,
        "confusion": counts.tolist() if len(counts) <= MANY else None,
        "per_class": classification.per_class(logits, y, names),
        "calibration": asdict(classification.calibration(logits, y)),
    }


def write(evaluation: "Evaluation", results: dict[str, Any]) -> None:
    """Write report.html with what it says of the classes."""
    found = results["classes"]
    html.write(evaluation, results, "classes.html.j2", reliability=found and reliability(found))


def reliability(found: dict[str, Any]) -> Figure:
    """The diagram of what `classes` gave, also after JSON."""
    calibration = found["calibration"]
    bins = tuple(classification.Bin(**one) for one in calibration["bins"])
    return reliability_diagram(classification.Calibration(**calibration | {"bins": bins}))


def reliability_diagram(found: classification.Calibration) -> Figure:
    """Accuracy against confidence, with a point's area as its bin's share, above these shares."""
    figure = Figure(figsize=(5, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    total = sum(one.count for one in found.bins)
    for one in found.bins:
        lower.bar(one.low, one.count / total, one.high - one.low, align="edge", alpha=0.5, color=ACCENT)
        if one.accuracy is not None and one.confidence is not None:
            area = 15 + 250 * one.count / total
            upper.plot([one.confidence] * 2, [one.confidence, one.accuracy], color=BAD, zorder=2)
            upper.scatter(one.confidence, one.accuracy, area, color=ACCENT, zorder=3)
    upper.plot([0, 1], [0, 1], linestyle="--", linewidth=1, color=INK)
    title = f"Reliability: ECE {found.ece:.3f} (by chance up to {found.ece_by_chance:.3f})"
    upper.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), ylabel="accuracy", title=title)
    lower.set(xlabel="confidence", ylabel="share")
    for axes in (upper, lower):
        axes.grid(color=LINE)
    return figure
