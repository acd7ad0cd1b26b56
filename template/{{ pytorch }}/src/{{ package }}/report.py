"""results.json, plots and the model card of a run. Every number in them was measured by the command that wrote it."""

import ast
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
from .check import count_parameters, latency_ms
from .checkpoint import load_weights
from .device import choose_for_use, describe
from .errors import Problem
from .evaluation import Result, measure, summarise
from .runs import load_config, load_environment, weights_of
from .seam import Context, Task
from .seeding import generator, key
from .settings import fingerprint
from .splits import replace, write_atomically
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
        self.records, metrics = measure(
            self.task,
            self.model,
            split,
            self.config.train.micro_batch,
            seed=self.config.seed,
            bf16=self.device.bf16,
            bar=True,
        )
        self.results = summarise(metrics, self.task.floors(split))

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
    history = read(evaluation.run / "metrics.jsonl")
    results: dict[str, Any] = {
        "status": "complete",
        "run": evaluation.run.name,
        "steps": history[-1]["step"],
        "deliverables": deliverables(run_tests() if with_tests else None),
        "performance_metrics": performance(evaluation, history),
        "metrics": {name: result.as_dict() for name, result in evaluation.results.items()},
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
    write_atomically(folder / "MODEL_CARD.md", model_card(evaluation, results))
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


def performance(evaluation: Evaluation, history: list[dict[str, Any]]) -> dict[str, Any]:
    """Size and speed, measured now; training's own figures come from its record."""
    rates = [value for line in history for name, value in line.items() if name.endswith("_per_second")]
    cuda = evaluation.device.type == "cuda"
    return {
        "parameter_count": count_parameters(evaluation.model),
        "inference_time_ms": round(latency_ms(evaluation.task, evaluation.model, evaluation.device), 3),
        "vram_gb": round(torch.cuda.max_memory_allocated() / 1e9, 3) if cuda else None,
        f"training_{evaluation.task.unit}_per_second": round(rates[-1], 1) if rates else None,
        "device": describe(evaluation.device),
        "precision": evaluation.device.precision,
    }


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
    temporary = file.with_suffix(".tmp")
    figure.savefig(temporary, format="png", dpi=150)
    replace(temporary, file)


def shared(leakage: dict[str, Any]) -> str:
    """What the splits have in common, in a sentence."""
    compared = ", ".join(f"{count} {split}" for split, count in leakage["compared"].items())
    return f"Examples that two splits share: {len(leakage['found'])} ({compared}; {leakage['rule']})."


def model_card(evaluation: Evaluation, results: dict[str, Any]) -> str:
    """A model card in the format of the Hugging Face Hub, with every number quoted from results.json."""
    figures, config = results["performance_metrics"], asdict(evaluation.config)
    lines = [
        "---",
        "library_name: pytorch",
        "---",
        "",
        f"# {PACKAGE.name}, run {results['run']}",
        "",
        f"{figures['parameter_count']:,} parameters, trained for {results['steps']} steps with seed "
        f"{config['seed']}; processes: {evaluation.environment['processes']}; "
        f"commit {evaluation.environment['commit'] or 'unknown'}.",
        "",
        "## Evaluation on the validation split",
        "",
        "| metric | value | 95 % interval | n | better is |",
        "|---|---|---|---|---|",
    ]
    for name, metric in results["metrics"].items():
        ci95 = "{:.4f} to {:.4f}".format(*metric["ci95"]) if metric["ci95"] else ""
        better = "higher" if metric["higher_is_better"] else "lower"
        lines.append(f"| {name} | {metric['value']:.4f} | {ci95} | {metric['n'] or ''} | {better} |")
        lines += [f"| floor: {floor} | {value:.4f} | | | |" for floor, value in metric["floors"].items()]
    lines += [
        "",
        "## Intended use",
        "",
        "To be written by the owner: what the model is for, and what it must not be used for.",
        "",
        "## Data",
        "",
        f"Hash of the data: `{evaluation.environment['data']}`. To be written by the owner: where they come from, "
        "under which licence, and what they say about people.",
        "",
        shared(results["validation"]["leakage"]),
        "",
        "## Limitations",
        "",
        "To be written by the owner. The figures above were measured on the validation split, which also chose the "
        "checkpoint; they are therefore a little optimistic. The sealed test split of these data was opened "
        f"{results['validation']['sealed_test_uses']} times.",
        "",
    ]
    return "\n".join(lines)
