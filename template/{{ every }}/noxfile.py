"""Checks in fresh environments: `uvx nox` runs them all; `uvx nox -s update` merges the latest template."""

import json
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")
DEV = nox.project.dependency_groups(PROJECT, "dev")
ANSWERS = Path(".copier-answers.yml")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting."""
    session.install(*(package for package in DEV if package.startswith("ruff")))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, the engine's strictly and yours where you wrote some; and which modules import which."""
    session.install("-e", ".", *DEV)
    session.run("mypy")
    session.run("lint-imports", "--no-cache")


@nox.session
def tests(session: nox.Session) -> None:
    """Your tests; `nox -s tests -- -k resume` passes arguments on to pytest."""
    session.install("-e", ".", *DEV)
    session.run("pytest", *session.posargs)


@nox.session
def engine(session: nox.Session) -> None:
    """The engine's own tests, with their coverage."""
    session.install("-e", ".", *DEV)
    session.run("pytest", "tests/engine", *(session.posargs or ["--cov"]))


@nox.session(default=False)
def update(session: nox.Session) -> None:
    """Merge the template's latest release into this project; fail and name the files if a conflict is left."""
    _require_clean_repository(session)
    _require_source(session)
    session.install("copier>=9.17.2")
    answer = session.run("copier", "check-update", "--output-format", "json", silent=True, stderr=None)
    versions = json.loads(str(answer))
    if not versions["update_available"]:
        session.log(f"{versions['current_version']} is the latest release of the template.")
        return
    session.run("copier", "update", "--defaults")
    if conflicts := _conflicts():
        session.error(
            f"You and the template changed the same lines; settle these files by hand: {', '.join(conflicts)}"
        )
    session.log(f"Updated to {versions['latest_version']}. Read `git diff`, run the tests and commit.")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", check=False)


def _require_clean_repository(session: nox.Session) -> None:
    if shutil.which("git") is None:
        session.error("An update is a merge, which needs git: install it, and commit this project.")
    status = _git("status", "--porcelain")
    if status.returncode or _git("rev-parse", "--verify", "HEAD").returncode:
        session.error("An update is a merge, which needs a commit: run `git init`, `git add .` and `git commit` first.")
    if status.stdout:
        session.error("There are changes that are not committed: commit or stash them first, so that none is lost.")


def _require_source(session: nox.Session) -> None:
    recorded = ANSWERS.read_text(encoding="utf-8").splitlines() if ANSWERS.is_file() else []
    for key in ("_src_path:", "_commit:"):
        if not any(line.startswith(key) for line in recorded):
            session.error(f"{ANSWERS} does not say which template this project came from ({key[:-1]} is missing).")


def _conflicts() -> list[str]:
    """Files that git holds as unmerged, or in which the marks of a merge are left."""
    unmerged = _git("diff", "--name-only", "--diff-filter=U").stdout.splitlines()
    marked = _git("grep", "--untracked", "-l", "-e", "^<<<<<<< before updating").stdout.splitlines()
    return sorted({*unmerged, *marked})
