"""results.json, plots and whatever else `contents` lists. Every number was measured by the command that wrote it."""

import io
import json
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from . import ledger
from .checkpoint import load_weights
from .contents import SECTIONS, WRITERS
from .deliverables import deliverables, run_tests
from .device import choose_for_use
from .errors import Problem
from .evaluation import measure
from .fields import fingerprint
from .intervals import Result, summarise
from .runs import load_config, load_environment, weights_of
from .seam import Context, Task
from .seeding import generator, key
from .splits import write_atomically
from .tracking import read


class Evaluation:
    """A finished run, measured on a split."""

    def __init__(self, run: Path, split: str = "validation") -> None:
        self.run, self.config = run, load_config(run)
        weights = weights_of(run)
        self.environment = load_environment(run)
        self.device = choose_for_use(self.config.train)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self.task: Task = self.config.task()
        if self.task.data_hash() != self.environment["data"]:
            raise Problem(f"{run} was trained on other data than today's: restore them, or train again")
        self.model = self.task.model().to(self.device.torch_device)
        load_weights(self.model, weights)
        self.model.eval()
        self.records, self.metrics = measure(
            self.task,
            self.model,
            split,
            self.config.train.micro_batch,
            seed=self.config.seed,
            bf16=self.device.bf16,
            bar=True,
        )
        self.results = summarise(self.metrics, self.task.floors(split))

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """What was recorded while the run trained."""
        return read(self.run / "metrics.jsonl")

    @cached_property
    def examples(self) -> str:
        """What the model says, the same at each call."""
        seed = key(self.config.seed, "examples")
        return self.task.examples(self.model, Context(0, generator(self.device.torch_device, seed)))


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
        "weights": fingerprint(weights_of(run)),
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
            "leakage": asdict(evaluation.task.leakage()),
            "sealed_test_uses": ledger.uses(evaluation.environment["data"]),
            "reproducible": None,
        },
    }
    if with_tests:
        results["validation"]["unit_tests"] = all(test["all_passing"] for test in results["deliverables"]["tests"])
    write_atomically(folder / "results.json", json.dumps(results, indent=2) + "\n")
    save(curves(history, evaluation.results), folder / "curves.png")
    save(evaluation.task.picture(evaluation.records), folder / "validation.png")
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
