"""The command `calibrate`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from ...presets import Config
from ..core.errors import Problem
from .common import opened

if TYPE_CHECKING:
    import numpy as np

    from ..evaluation.classification import Calibration, PerClass


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Say how far a classifier's probabilities can be believed, and how it does on each class."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print JSON."""

    def __call__(self) -> None:
        from ..core.files import save_figure, write_atomically
        from ..evaluation.classification import calibration, confusion, per_class, reliability_diagram

        run, config = opened(self.run)
        logits, y = validation(run, config)
        found, counts = calibration(logits, y), confusion(logits, y)
        classes = per_class(counts)
        figures = asdict(found) | {"classes": [asdict(one) for one in classes], "confusion": counts.tolist()}
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


def validation(run: Path, config: Config) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """`logits` and `y` of a finished run: of the validation split, and there is no way to ask for another.

    Raises:
        Problem: the task is no classifier.
    """
    from ..evaluation.evaluation import Evaluation

    records = Evaluation(run, config, config.task()).records
    if not records.keys() >= {"logits", "y"}:
        raise Problem(f"{run} is no classifier's: calibration needs records named logits and y, see engine/task.py")
    return records["logits"].numpy(), records["y"].numpy()


def told(found: "Calibration", n: int) -> list[str]:
    """The figures, and what they mean."""
    chance = "within what chance gives" if found.within_chance else "beyond what chance gives"
    sure = "above 1: it is too sure of itself" if found.temperature > 1 else "below 1: it is not sure enough of itself"
    return [
        f"{'calibration error (ECE)':28}{found.ece:.4f}  {chance} a calibrated model with n = {n}: "
        f"up to {found.ece_by_chance:.4f}",
        f"{'Brier score':28}{found.brier:.4f}  0 is ideal, 2 the worst",
        f"{'temperature':28}{found.temperature:.4f}  the best divisor of the logits; {sure}",
        f"{'ECE with a temperature':28}{found.ece_calibrated:.4f}  and {found.ece_halves:.4f} without: in halves, each "
        "with the other's temperature",
    ]


def table(classes: "list[PerClass]", counts: list[list[int]]) -> list[str]:
    """Lines for a terminal: the figures of each class, and what it was mistaken for most."""
    lines = [f"{'class':>5}{'precision':>12}{'recall':>9}{'F1':>8}{'support':>9}  mistaken for"]
    for one, row in zip(classes, counts, strict=True):
        figures = ["" if value is None else f"{value:.3f}" for value in (one.precision, one.recall, one.f1)]
        wrong = sorted(((label, count) for label, count in enumerate(row) if count), key=lambda item: -item[1])
        mistaken = ", ".join(f"{label} ({count})" for label, count in wrong if label != one.label)
        line = f"{one.label:>5}{figures[0]:>12}{figures[1]:>9}{figures[2]:>8}{one.support:>9}  {mistaken}"
        lines.append(line.rstrip())
    return lines
