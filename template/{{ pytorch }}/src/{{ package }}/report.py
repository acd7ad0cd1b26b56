"""results.json, plots and whatever else `contents` lists. Every number was measured by the command that wrote it."""

import ast
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from . import ledger
from .checkpoint import load_weights
from .contents import SECTIONS, WRITERS
from .device import choose_for_use
from .errors import Problem
from .evaluation import Result, measure, summarise
from .runs import load_config, load_environment, weights_of
from .seam import Context, Task
from .seeding import generator, key
from .settings import fingerprint
from .splits import write_atomically
from .tracking import read

PACKAGE = Path(__file__).parent
PROJECT = PACKAGE.parent.parent


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


def deliverables(tests: dict[str, Any] | None) -> dict[str, Any]:
    """The project's modules, tests and documents; `tests` are what `run_tests` measured."""
    coverage = tests["coverage"] if tests else {}
    modules = sorted(PACKAGE.glob("**/*.py"))
    return {
        "code_files": [
            {
                "path": (name := file.relative_to(PROJECT).as_posix()),
                "description": (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n")[0],
                "loc": sum(1 for line in file.read_text(encoding="utf-8").splitlines() if line.strip()),
                "tested": coverage[name] > 0 if name in coverage else None,
            }
            for file in modules
        ],
        "tests": [
            {
                "path": file.relative_to(PROJECT).as_posix(),
                "coverage": coverage.get(f"src/{PACKAGE.name}/{file.name.removeprefix('test_')}"),
                "all_passing": tests["passing"].get(file.stem) if tests else None,
            }
            for file in sorted(PROJECT.glob("tests/test_*.py"))
        ],
        "documentation": {file.stem: file.relative_to(PROJECT).as_posix() for file in documents()},
    }


def documents() -> list[Path]:
    """What there is to read about the project."""
    return [file for file in (PROJECT / "README.md", *sorted(PROJECT.glob("docs/*.md"))) if file.exists()]


def run_tests() -> dict[str, Any]:
    """Run the project's tests: percent covered of each module, and whether each test file passed.

    Raises:
        Problem: pytest is missing, or the project's tests are not there.
    """
    if not (PROJECT / "tests").is_dir():
        raise Problem(f"{PROJECT} holds no tests: run the report from the project's own folder, installed with -e")
    with tempfile.TemporaryDirectory() as folder:
        coverage, outcome = Path(folder, "coverage.json"), Path(folder, "outcome.xml")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--cov",
            f"--cov-report=json:{coverage}",
            f"--junitxml={outcome}",
        ]
        subprocess.run(command, cwd=PROJECT, stdout=sys.stderr, check=False)
        if not outcome.exists():
            raise Problem("the tests did not run: install the development tools (uv sync, or pip install --group dev)")
        files = json.loads(coverage.read_text(encoding="utf-8"))["files"] if coverage.exists() else {}
        return {
            "coverage": {
                Path(name).as_posix(): round(file["summary"]["percent_covered"], 1) for name, file in files.items()
            },
            "passing": passing(outcome),
        }


def passing(outcome: Path) -> dict[str, bool]:
    """Whether every test of each test file passed, from pytest's JUnit XML."""
    from xml.etree import ElementTree

    files: dict[str, bool] = {}
    for case in ElementTree.parse(outcome).iter("testcase"):  # noqa: S314 - written by our own pytest
        name = (case.get("classname") or "").split(".")[-1]
        bad = case.find("failure") is not None or case.find("error") is not None
        files[name] = files.get(name, True) and not bad
    return files


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
