"""`train --seeds`, killed for real and on two processes: its runs are those that are trained one by one."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OPTIONS = ["--data.path", "text", "--train.steps", "30", "--train.save-every", "5", "--train.log-every", "1"]
TRAIN = ["train", "smoke", *OPTIONS]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small text."""
    (tmp_path / "text").mkdir()
    modules = [file for file in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")) if file.stat().st_size < 3000]
    for number, file in enumerate(modules[:120]):
        shutil.copyfile(file, tmp_path / "text" / f"{number}.txt")
    return tmp_path


def start(folder: Path, *words: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, *launcher, "-m", "transformer_demo", *words]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, text=True, **pipes)


def finish(process: subprocess.Popen[str]) -> str:
    said, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    return said


def kill_when(process: subprocess.Popen[str], due: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not due():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate(timeout=120)


def by_seed(folder: Path) -> dict[int, Path]:
    return {json.loads(file.read_text())["seed"]: file.parent for file in (folder / "runs").glob("[0-9]*/config.json")}


def summary(folder: Path) -> dict[str, Any]:
    [file] = (folder / "runs").glob("*-seeds.json")
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def steps(folder: Path, seed: int) -> int:
    """How many records a seed's run has."""
    record = by_seed(folder).get(seed, folder) / "metrics.jsonl"
    return record.read_text().count("\n") if record.exists() else 0


def test_killed_and_resumed_equals_trained_one_by_one(folder: Path) -> None:
    finish(start(folder, *TRAIN, "--seed", "1"))
    (folder / "runs").rename(folder / "alone")
    moments: list[Callable[[], bool]] = [
        lambda: steps(folder, 0) >= 12,
        lambda: bool(list((folder / "runs").glob("*/report/results.json"))),  # between the two, or just into the second
        lambda: steps(folder, 1) >= 17,
    ]
    words = [*TRAIN, "--seeds", "2"]
    for moment in moments:
        kill_when(start(folder, *words), moment)
        words = ["train", "--resume"]
    said = finish(start(folder, *words))
    assert "2 trainings, seeds 0 to 1:" in said
    assert sorted(by_seed(folder)) == summary(folder)["seeds"] == [0, 1]
    [alone], together = (folder / "alone").glob("[0-9]*"), by_seed(folder)[1]
    assert (together / "model.safetensors").read_bytes() == (alone / "model.safetensors").read_bytes()
    expected, reported = (json.loads((run / "report" / "results.json").read_text()) for run in (alone, together))
    assert reported["metrics"] == expected["metrics"]
    for name, found in summary(folder)["metrics"].items():
        assert found["values"][1] == expected["metrics"][name]["value"]


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs libuv, and PyTorch for Windows comes without it")
def test_two_processes_train_a_series(folder: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    small = ["--train.steps", "6", "--train.validate-every", "6", "--train.micro-batch", "4", "--train.device", "cpu"]
    said = finish(start(folder, *TRAIN, *small, "--seeds", "2", launcher=launcher))
    assert said.count("2 trainings, seeds 0 to 1:") == 1
    assert sorted(by_seed(folder)) == summary(folder)["seeds"] == [0, 1]
    assert all((run / "report" / "results.json").exists() for run in by_seed(folder).values())
