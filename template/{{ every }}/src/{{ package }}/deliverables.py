"""What a project consists of: its modules, tests and documents, and what its tests say."""

import ast
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .errors import Problem

PACKAGE = Path(__file__).parent
PROJECT = PACKAGE.parent.parent


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
