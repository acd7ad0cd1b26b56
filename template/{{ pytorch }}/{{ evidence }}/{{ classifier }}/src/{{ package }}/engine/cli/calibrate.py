"""The command `calibrate`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from ...presets import Config
from ..core.errors import Problem
from ..core.table import aligned
from .common import opened

if TYPE_CHECKING:
    import numpy as np

    from ..evaluation.classification import Calibration


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Say how far a classifier's probabilities can be believed, and how it does on each class."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print JSON."""

    def __call__(self) -> None:
        from ..core.files import save_figure, write_atomically
        from ..evaluation.classification import calibration, confusion, per_class
        from ..report.classes import reliability_diagram

        run, config = opened(self.run)
        logits, y, names = validation(run, config)
        found, counts = calibration(logits, y), confusion(logits, y)
        classes = per_class(logits, y, names)
        figures = asdict(found) | {"classes": classes, "confusion": counts.tolist()}
        folder = run / "report"
        folder.mkdir(exist_ok=True)
        write_atomically(folder / "calibration.json", json.dumps(figures, indent=2) + "\n")
        save_figure(reliability_diagram(found), folder / "reliability.png")
        if self.json:
            print(json.dumps(figures, indent=2))
            return
        for line in (*told(found, len(y)), "", *table(classes, counts.tolist())):
            print(line)
        print(f"\nreport: {folder / 'reliability.png'}, calibration.json")


def validation(run: Path, config: Config) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[str]]":
    """`logits`, `y` and the classes' names of a finished run: of the validation split, and no other can be asked for.

    Raises:
        Problem: the task is no classifier.
    """
    from ..evaluation.evaluation import Evaluation
    from ..task import class_names

    evaluation = Evaluation(run, config, config.task())
    predictions = evaluation.measured.predictions
    if not predictions.keys() >= {"logits", "y"}:
        raise Problem(f"{run} is no classifier's: calibration needs predictions named logits and y, see engine/task.py")
    logits = predictions["logits"].numpy()
    return logits, predictions["y"].numpy(), class_names(evaluation.task, logits.shape[1])


def told(found: "Calibration", n: int) -> list[str]:
    """The figures, and what they mean."""
    chance = "within what chance gives" if found.within_chance else "beyond what chance gives"
    sure = "above 1: it is too sure of itself" if found.temperature > 1 else "below 1: it is not sure enough of itself"
    rows = [
        (
            "calibration error (ECE)",
            found.ece,
            f"{chance} a calibrated model with n = {n}: up to {found.ece_by_chance:.4f}",
        ),
        ("Brier score", found.brier, "0 is ideal, 2 the worst"),
        ("temperature", found.temperature, f"the best divisor of the logits; {sure}"),
        (
            "ECE with a temperature",
            found.ece_calibrated,
            f"and {found.ece_halves:.4f} without: in halves, each with the other's temperature",
        ),
    ]
    return aligned([(name, f"{value:.4f}", remark) for name, value, remark in rows], "<26", ">8", "<")


def table(classes: list[dict[str, Any]], counts: list[list[int]]) -> list[str]:
    """Lines for a terminal: the figures of each class, and what it was mistaken for most."""
    rows = [("class", "precision", "recall", "F1", "support", "mistaken for")]
    names = [one["label"] for one in classes]
    for one, row in zip(classes, counts, strict=True):
        label, *figures = (one[name] for name in ("label", "precision", "recall", "f1"))
        taken = zip(names, row, strict=True)
        wrong = sorted(((other, count) for other, count in taken if count and other != label), key=lambda one: -one[1])
        mistaken = ", ".join(f"{other} ({count})" for other, count in wrong)
        precision, recall, f1 = ("" if value is None else f"{value:.3f}" for value in figures)
        rows.append((label, precision, recall, f1, str(one["support"]), mistaken))
    return aligned(rows, ">5", ">12", ">9", ">8", ">9", "<")
