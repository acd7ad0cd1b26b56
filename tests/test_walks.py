"""How many files a reader opens on three walks through the engine, which docs/guides/architecture.md writes down."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rendering import ROOT, render

WALKS = Path(__file__).with_name("walks.py")
PAGE = (ROOT / "docs" / "guides" / "architecture.md").read_text(encoding="utf-8")
SHORT = ["--train.steps", "2", "--train.save-every", "1", "--train.validate-every", "2", "--train.device", "cpu"]
MOST = {"step": 12, "resume": 10, "results": 12}


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the smallest model, with a run that has a checkpoint and no report."""
    folder = tmp_path_factory.mktemp("walks") / "some-project"
    render(template, folder, {"architecture": "blank", "tracker": "none"})
    assert follow(folder, "results", "train", "smoke", *SHORT)
    return folder


def follow(project: Path, walk: str, *words: str) -> list[str]:
    environment = os.environ | {"PYTHONPATH": "src", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(WALKS), "some_project", walk, *words]
    result = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    files: list[str] = json.loads(result.stdout.splitlines()[-1])
    return files


def written(walk: str) -> list[str]:
    """The files of a walk as the page has them."""
    (line,) = re.findall(rf"^    {walk}: +(.*)$", PAGE, re.MULTILINE)
    return [str(name) for name in line.split(" → ")]


@pytest.mark.parametrize(
    ("walk", "words"),
    [("step", ["train", "smoke", *SHORT]), ("resume", ["train", "--resume"]), ("results", ["train", "--resume"])],
)
def test_a_walk_is_short_and_as_the_page_says(project: Path, walk: str, words: list[str]) -> None:
    before = set(project.glob("runs/[0-9]*"))
    files = follow(project, walk, *words)
    for run in set(project.glob("runs/[0-9]*")) - before:
        run.rename(project / f"{run.name}-ended")  # so that the others resume the first
    assert 1 < len(files) <= MOST[walk], files
    assert written(walk) == [file.removeprefix("engine/") for file in files]
