"""A clone of this repository in which every release is tagged, so that updates can be tried where tags are absent."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

from rendering import ROOT

NOW = "v998.0.0"  # the working tree, what is not committed included
LATER = "v999.0.0"  # a change to an engine file after it
STAND_IN = "v0.0.0"  # the working tree too, until there is a first release
ENGINE = "engine/training/trainer.py"
_ROOMS = {
    "check": "training/sanity",
    "checkpoint": "training/checkpoint",
    "device": "training/device",
    "display": "training/progress",
    "distributed": "training/parallel",
    "errors": "core/errors",
    "evaluation": "evaluation/evaluation",
    "floors": "text/baselines",
    "main": "cli/main",
    "report": "report/results",
    "runs": "core/runs",
    "seam": "task",
    "seeding": "training/seeding",
    "settings": "training/config",
    "splits": "splits/splits",
    "tensorboard": "core/tensorboard",
    "tracking": "core/tracking",
    "trainer": "training/trainer",
    "wandb": "core/wandb",
    "mlflow": "core/mlflow",
}
_UNTESTED = {"errors", "seam"}
_TESTS_ALONE = {"main", "tensorboard", "wandb", "mlflow"}


def _place_of_test(room: str) -> str:
    folder, _, name = room.rpartition("/")
    return f"tests/engine/{folder}/test_{name}.py"


MOVED = {
    "v0.1.0": {
        f"src/{{package}}/{old}.py": f"src/{{package}}/engine/{new}.py"
        for old, new in _ROOMS.items()
        if old not in _TESTS_ALONE
    }
    | {f"tests/test_{old}.py": _place_of_test(new) for old, new in _ROOMS.items() if old not in _UNTESTED}
    | {"tests/test_config.py": "tests/test_presets.py"}
}
"""Where the files of a release lie now: the engine's, which moved once. No other path may vanish."""
LATER_LINE = '"""This line is new in a later release.'

# What the person who runs the tests has configured must not matter, nor be needed.
GIT_ENVIRONMENT = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Tests",
    "GIT_AUTHOR_EMAIL": "tests@example.org",
    "GIT_COMMITTER_NAME": "Tests",
    "GIT_COMMITTER_EMAIL": "tests@example.org",
}


def git(folder: Path, *arguments: str) -> str:
    """What a git command prints.

    Raises:
        subprocess.CalledProcessError: git fails.
    """
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(
        command, cwd=folder, env=GIT_ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit_all(folder: Path, message: str) -> None:
    """Commit everything that lies in a folder, in a repository of its own if it has none."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def released() -> dict[str, str]:
    """The commit of every release, by its tag: a commit whose subject is `Release X.Y.Z`."""
    try:
        log = git(ROOT, "log", "--format=%H %s")
    except subprocess.CalledProcessError:
        return {}
    found = (re.fullmatch(r"(\w+) Release (\d+\.\d+\.\d+)", line) for line in log.splitlines())
    return {f"v{match[2]}": match[1] for match in found if match}


def variants_of(release: str) -> set[str]:
    """The variants that a release has in its matrix."""
    commit = released().get(release, "HEAD")
    return set(tomllib.loads(git(ROOT, "show", f"{commit}:pyproject.toml"))["tool"]["seedbed"]["variants"])


def clone_with_tags(folder: Path) -> Path:
    """Clone the repository, commit the working tree's changes there, and tag the releases, now and later."""
    git(ROOT, "clone", "--quiet", "--no-checkout", "--no-tags", str(ROOT), str(folder))
    git(folder, f"--git-dir={folder / '.git'}", f"--work-tree={ROOT}", "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "What is not committed yet")
    git(folder, "reset", "--hard", "--quiet")
    for tag, commit in (released() or {STAND_IN: "HEAD"}).items():
        git(folder, "tag", tag, commit)
    commit_all(folder, "Now")
    git(folder, "tag", NOW)
    _change_the_engine(folder)
    commit_all(folder, "Later")
    git(folder, "tag", LATER)
    return folder


def _change_the_engine(repository: Path) -> None:
    (engine,) = (repository / "template").glob(f"*/src/*/{ENGINE}")
    text = engine.read_text(encoding="utf-8")
    engine.write_text(text.replace('"""', f"{LATER_LINE}\n\n", 1), encoding="utf-8")
    (repository / "template" / "{{ every }}" / "LATER.md").write_text("# A new file\n", encoding="utf-8")
