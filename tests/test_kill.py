"""The command line in processes of its own, killed at chosen moments: `train --resume` ends like an undisturbed run.

Here are signals, workers, the lock and a file that may not grow; the moments that nobody chose are in campaign.py.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from outcome import differences

resource = pytest.importorskip("resource", reason="these limits and signals are those of POSIX")
STEPS = 130
TRAIN = ["train", "smoke", "--data.path", "text", "--train.steps", str(STEPS), "--train.save-every", "9"]
OPTIONS = ["--train.log-every", "1", "--train.ema", "0.9", "--train.validate-every", "40"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small text, in which a run was never disturbed."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "text").mkdir()
    modules = [file for file in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")) if file.stat().st_size < 5000]
    for number, file in enumerate(modules[:240]):
        shutil.copyfile(file, folder / "text" / f"{number}.txt")
    undisturbed = start(folder, *TRAIN, *OPTIONS)
    _, error = undisturbed.communicate(timeout=120)
    assert undisturbed.returncode == 0, error
    (folder / "runs").rename(folder / "never")
    return folder


@pytest.fixture
def folder(project: Path) -> Path:
    """The same folder without a run."""
    shutil.rmtree(project / "runs", ignore_errors=True)
    return project


def start(folder: Path, *words: str, limit: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "transformer_demo", *words],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=limit,  # noqa: PLW1509 - no thread of this process can hold a lock at the fork
    )


def run_of(folder: Path) -> Path:
    return next(folder.glob("[0-9]*"))


def steps(folder: Path) -> int:
    """The last step that a run has recorded."""
    files = list((folder / "runs").glob("[0-9]*/metrics.jsonl"))
    lines = [line for line in files[0].read_text().splitlines() if line.endswith("}")] if files else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


def kill_when(
    folder: Path, process: subprocess.Popen[str], due: Callable[[], bool], number: int = signal.SIGKILL
) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and not due():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    if number == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, number)  # as a terminal and a scheduler do: the workers too
    _, error = process.communicate(timeout=60)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), error


def finish(folder: Path) -> None:
    process = start(folder, "train", "--resume")
    said, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert "bits per byte" in said


def assert_equal_to_never_killed(folder: Path) -> None:
    assert differences(run_of(folder / "never"), run_of(folder / "runs")) == []


# Before the first checkpoint, at one, between two, at a validation, around the epoch's end, and at the last step.
@pytest.mark.parametrize("num_workers", [0, 2])
def test_killed_again_and_again(folder: Path, num_workers: int) -> None:
    words = [*TRAIN, *OPTIONS, "--train.num-workers", str(num_workers)]
    for step in (2, 9, 41, 85, STEPS) if not num_workers else (4, 85):
        process = start(folder, *words)
        kill_when(folder, process, lambda step=step: steps(folder) >= step)  # type: ignore[misc]
        words = ["train", "--resume"]
    finish(folder)
    assert_equal_to_never_killed(folder)


def test_killed_while_reporting(folder: Path) -> None:
    process = start(folder, *TRAIN, *OPTIONS)
    kill_when(folder, process, lambda: bool(list((folder / "runs").glob("*/model.safetensors"))))
    finish(folder)
    assert_equal_to_never_killed(folder)


@pytest.mark.parametrize(("number", "num_workers"), [(signal.SIGTERM, 2), (signal.SIGINT, 0), (signal.SIGINT, 2)])
def test_asked_to_stop(folder: Path, number: int, num_workers: int) -> None:
    process = start(folder, *TRAIN, *OPTIONS, "--train.num-workers", str(num_workers))
    kill_when(folder, process, lambda: steps(folder) >= 30, number)
    last = steps(folder)
    index = json.loads((run_of(folder / "runs") / "checkpoints" / "index.json").read_text())
    assert f"step-{last}" in index["checkpoints"]
    finish(folder)
    assert_equal_to_never_killed(folder)


def test_a_disk_that_is_full(folder: Path) -> None:
    """No file may grow beyond 150 kB, as on a disk that fills up while the optimizer's state is written."""
    process = start(folder, *TRAIN, *OPTIONS)
    kill_when(folder, process, lambda: steps(folder) >= 20)
    kept = sorted(path.name for path in (run_of(folder / "runs") / "checkpoints").glob("step-*[0-9]"))

    saved = max(int(name.removeprefix("step-")) for name in kept)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    process = start(folder, "train", "--resume", limit=limit)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    message = [line for line in error.splitlines() if line.startswith("error:")]
    assert len(message) == 1
    assert f"cannot save the checkpoint of step {saved + 9}" in message[0]
    assert "train --resume" in message[0]
    assert sorted(path.name for path in (run_of(folder / "runs") / "checkpoints").iterdir()) == ["index.json", *kept]
    finish(folder)
    assert_equal_to_never_killed(folder)


def test_two_trainings_in_one_run(folder: Path) -> None:
    first = start(folder, *TRAIN, *OPTIONS, "--train.steps", "100000")
    while steps(folder) < 3:
        time.sleep(0.01)
        assert first.poll() is None
    config = run_of(folder / "runs") / "config.json"
    before = config.read_bytes()
    second = start(folder, "train", "--resume", "--train.steps", "200000")
    _, error = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "error: another training is running" in error
    assert config.read_bytes() == before, "the run of another process was lengthened"
    first.kill()
    first.communicate()
