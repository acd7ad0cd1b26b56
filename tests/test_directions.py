"""Who may import whom in a rendered project: its contracts hold, and each notices what breaks it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rendering import VARIANTS, render

LINTER = Path(sys.executable).with_name("lint-imports")
ROOMS = "The rooms of the engine import downwards only"
CIRCLES = "No modules import each other in a circle"
OWN = "The engine reaches the project's own modules in engine/cli alone"
OFFERED = "The project's own modules import what the engine offers them"


def broken(project: Path) -> set[str]:
    """The contracts that a project breaks."""
    result = subprocess.run(
        [LINTER, "--no-cache"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": "src"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    found = dict(re.findall(r"^(.+) (KEPT|BROKEN)\b.*$", result.stdout, re.MULTILINE))
    assert {ROOMS, CIRCLES, OWN, OFFERED} == found.keys(), result.stdout
    assert (result.returncode == 0) == ("BROKEN" not in found.values())
    return {name for name, state in found.items() if state == "BROKEN"}


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each variant's project, rendered once."""
    folder = tmp_path_factory.mktemp("directions")
    for variant, answers in VARIANTS.items():
        render(template, folder / variant, {"project_name": "some-project"} | answers)
    return {variant: folder / variant for variant in VARIANTS}


@pytest.mark.parametrize("variant", VARIANTS)
def test_imports_go_one_way(projects: dict[str, Path], variant: str) -> None:
    assert broken(projects[variant]) == set()


PYTORCH = {
    "a room above": ("engine/training/seeding.py", "from ..evaluation import evaluation", {ROOMS}),
    "lazily": ("engine/core/files.py", "def late() -> None:\n    from ..training import trainer", {ROOMS}),
    "a room beside": ("engine/profiling/memory.py", "from ..report import results", {ROOMS}),
    "the interface from below": ("engine/splits/seal.py", "from ..task import Task", {ROOMS}),
    "a room that nobody listed": ("engine/attic/__init__.py", "", {ROOMS}),
    "a circle in a room": ("engine/core/errors.py", "from . import config_io", {CIRCLES}),
    "a circle of the owner's": ("config.py", "from .presets import Config", {CIRCLES}),
    "the trainer knows the model": ("engine/training/device.py", "from ...model import Transformer", {OWN}),
    "the core knows the presets": ("engine/core/runs.py", "from ...presets import Config", {OWN, CIRCLES, ROOMS}),
    "what is not offered": ("model.py", "from .engine.training import trainer", {OFFERED}),
    "a file of the owner's making": ("own.py", "from .engine.report import results", {OFFERED}),
}
QWEN = {
    "a room above": ("engine/agent/rollout.py", "from ..finetuning import session", {ROOMS}),
    "the environment knows the agent": ("engine/dbbench/database.py", "from ..agent import play", {ROOMS}),
    "a room that nobody listed": ("engine/attic/__init__.py", "", {ROOMS}),
    "a circle in a room": ("engine/core/errors.py", "from . import config_io", {CIRCLES}),
    "the engine knows the protocol": ("engine/evaluation/scores.py", "from ... import protocol", {OWN}),
    "what is not offered": ("tasks.py", "from .engine.evaluation import scores", {OFFERED}),
}


@pytest.mark.parametrize(
    ("variant", "path", "line", "expected"),
    [
        pytest.param(variant, *planted, id=f"{variant}-{name}")
        for variant, faults in (("transformer", PYTORCH), ("dbbench", QWEN))
        for name, planted in faults.items()
    ],
)
def test_what_goes_the_other_way_is_noticed(
    projects: dict[str, Path], tmp_path: Path, variant: str, path: str, line: str, expected: set[str]
) -> None:
    project = shutil.copytree(projects[variant], tmp_path / "project")
    file = project / "src" / "some_project" / path
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as module:
        module.write(f"\n{line}\n")
    # A module that goes up may close a circle, too.
    assert expected <= broken(project) <= expected | {CIRCLES}
