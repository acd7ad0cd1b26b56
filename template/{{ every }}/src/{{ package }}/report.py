"""results.json, plots and whatever else `contents` lists. Every number was measured by the command that wrote it."""

import io
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from . import ledger
from .contents import SECTIONS, WRITERS
from .deliverables import deliverables, run_tests
from .evaluation import Evaluation, hash_of_weights
from .fields import fingerprint
from .intervals import Result
from .runs import load_environment
from .splits import write_atomically


def evaluate_finally(run: Path, again: bool) -> tuple[dict[str, Any], bool]:
    """The ledger's entry for a run's weights on the sealed test split, and whether the split was opened for it now.

    Raises:
        Problem: it was opened for other weights before, and `again` does not allow it once more.
    """
    environment = load_environment(run)
    identity = {
        "run": run.name,
        "commit": environment["commit"],
        "config": fingerprint(run / "config.json"),
        "data": environment["data"],
        "weights": hash_of_weights(run),
    }

    def measured() -> dict[str, Any]:
        return {name: result.as_dict() for name, result in Evaluation(run, ledger.SEALED).results.items()}

    return ledger.final(identity, measured, again)


def write(evaluation: Evaluation, with_tests: bool = False) -> dict[str, Any]:
    """Write report/ into the run and return what results.json holds."""
    folder = evaluation.run / "report"
    folder.mkdir(exist_ok=True)
    history = evaluation.history
    results: dict[str, Any] = {
        "status": "complete",
        "run": evaluation.run.name,
        "steps": history[-1]["step"],
        "deliverables": deliverables(run_tests() if with_tests else None),
        "metrics": {name: result.as_dict() for name, result in evaluation.results.items()},
        **{name: section(evaluation) for name, section in SECTIONS.items()},
        "validation": {
            "unit_tests": None,
            "leakage": evaluation.leakage(),
            "sealed_test_uses": ledger.uses(evaluation.environment["data"]),
            "reproducible": None,
        },
    }
    if with_tests:
        results["validation"]["unit_tests"] = all(test["all_passing"] for test in results["deliverables"]["tests"])
    write_atomically(folder / "results.json", json.dumps(results, indent=2) + "\n")
    save(curves(history, evaluation.results), folder / "curves.png")
    for name, figure in evaluation.pictures().items():
        save(figure, folder / f"{name}.png")
    write_atomically(folder / "examples.txt", evaluation.examples + "\n")
    for writer in WRITERS:
        writer(evaluation, results)
    return results


def curves(history: list[dict[str, Any]], results: dict[str, Result]) -> Figure:
    """Training loss, and the first metric on the validation split beside its floors."""
    name, result = next(iter(results.items()))
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    training = [(line["step"], line["loss"]) for line in history if "loss" in line]
    validation = [(line["step"], line[f"validation/{name}"]) for line in history if f"validation/{name}" in line]
    left.plot(*zip(*training, strict=True) if training else ((), ()))
    left.set(xlabel="step", ylabel="loss", title="Training loss")
    title = name.replace("_", " ")
    right.plot(*zip(*validation, strict=True), marker="o", label="validation, while training")
    low, high = result.ci95 or (result.value, result.value)
    error = [[result.value - low], [high - result.value]]
    label = "validation, all of it" + (", with its 95 % interval" if result.ci95 else "")
    right.errorbar(
        [history[-1]["step"]], [result.value], error, color="black", fmt="o", capsize=3, zorder=3, label=label
    )
    for number, (floor, value) in enumerate(sorted(result.floors.items(), key=lambda item: -item[1])):
        right.axhline(value, linestyle="--", linewidth=1, color=f"C{number + 1}", label=f"{floor} {value:.3f}")
    right.set(xlabel="step", ylabel=title, title=title[0].upper() + title[1:])
    right.legend(fontsize="small")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def save(figure: Figure, file: Path) -> None:
    """Write a plot, whole or not at all."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150)
    write_atomically(file, image.getvalue())
