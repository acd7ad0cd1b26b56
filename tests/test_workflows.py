"""GitHub's workflows: their schema, their security, and the machines that they run on."""

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT, render

SCRIPTS = Path(sysconfig.get_path("scripts"))
CHECKS: dict[str, list[str | Path]] = {
    "schema": [SCRIPTS / "check-jsonschema", "--builtin-schema=vendor.github-workflows"],
    "security": [SCRIPTS / "zizmor", "--offline", "--quiet", f"--config={ROOT / 'tests' / 'zizmor.yml'}"],
}


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    render(template, tmp_path / "project", {"python_version": "3.12"})
    return tmp_path / "project"


def workflows(project: Path) -> dict[str, dict[str, Any]]:
    paths = sorted(project.glob(".github/workflows/*.yml"))
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}


def check(kind: str, project: Path) -> tuple[bool, str]:
    """Whether a tool has nothing to say about the workflows, and what it says."""
    command = [*CHECKS[kind], *project.glob(".github/workflows/*.yml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("kind", CHECKS)
def test_the_tools_have_nothing_to_say(project: Path, kind: str) -> None:
    passed, said = check(kind, project)
    assert passed, said
    assert len(workflows(project)) == 2


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("schema", "runs-on:", "run-on:", "run-on"),
        ("schema", "fail-fast: false", "fail-first: false", "fail-first"),
        ("security", "persist-credentials: false", "fetch-depth: 1", "artipacked"),
        ("security", "contents: read", "contents: write\n  packages: write", "excessive-permissions"),
        ("security", "nox -s lint", "nox -s ${{ github.head_ref }}", "template-injection"),
        ("security", "pull_request:", "pull_request_target:", "dangerous-triggers"),
        ("security", "astral-sh/setup-uv@v7", "somebody/setup-uv@v7", "unpinned-uses"),
    ],
)
def test_a_fault_is_noticed(project: Path, kind: str, old: str, new: str, said: str) -> None:
    file = project / ".github" / "workflows" / "tests.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    passed, output = check(kind, project)
    assert not passed
    assert said in output


def machines(strategy: dict[str, Any]) -> set[tuple[str, str]]:
    """Every system with every Python that a matrix names."""
    matrix = strategy["matrix"]
    return {(system, python) for system in matrix["os"] for python in matrix["python"]} | {
        (more["os"], more["python"]) for more in matrix["include"]
    }


def test_the_oldest_python_runs_on_every_system_and_the_newest_on_linux(project: Path) -> None:
    job = workflows(project)["tests"]["jobs"]["tests"]
    assert machines(job["strategy"]) == {
        ("ubuntu-latest", "3.12"),
        ("ubuntu-latest", "3.14"),
        ("windows-latest", "3.12"),
        ("macos-latest", "3.12"),
    }
    used = set(re.findall(r"matrix\.(\w+)", str(job)))
    assert used == {"os", "python"}
    assert job["runs-on"] == "${{ matrix.os }}"


def test_no_machine_downloads_what_is_for_a_gpu(project: Path) -> None:
    """A source in pyproject.toml goes before the backend that uv is told to take."""
    assert workflows(project)["tests"]["env"] == {"UV_TORCH_BACKEND": "cpu", "UV_NO_SOURCES": 1}


def test_every_job_ends(project: Path) -> None:
    jobs = [job for workflow in workflows(project).values() for job in workflow["jobs"].values()]
    assert all(job["timeout-minutes"] <= 60 for job in jobs)
