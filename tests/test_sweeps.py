"""The extras that train several times: a sweep killed for real finds what it would have found, and intervals cover."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rendering import render

optuna = pytest.importorskip("optuna", reason="the session oracles installs it")
TRIALS = 8
SWEEP = ["sweep", "smoke", "--trials", str(TRIALS), "--confirm", "1"]
OPTIONS = ["--train.device", "cpu", "--train.log-every", "1", "--train.validate-every", "10", "--train.save-every", "7"]


@pytest.fixture(scope="module")
def source(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package of a project with the three extras lies."""
    project = tmp_path_factory.mktemp("source") / "tried"
    render(template, project, {"architecture": "blank", "tracker": "none", "extras": ["sweep", "ablate", "crossval"]})
    return project / "src"


def start(source: Path, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "tried", *SWEEP, *OPTIONS],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    """What a sweep printed at its end, without the names of runs."""
    said, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    return [" ".join(word for word in line.split() if not word.startswith("runs/")) for line in said.splitlines()]


def kill_when(process: subprocess.Popen[str], due: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not due():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.communicate()


def story(folder: Path) -> list[Any]:
    """What a study has found out: every trial that no other resumes."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'sweeps' / 'smoke.db'}")
    trials = optuna.load_study(study_name="smoke", storage=storage).trials
    storage.remove_session()
    storage.engine.dispose()
    taken = {trial.user_attrs.get("takes up") for trial in trials}
    return [(t.state, t.params, t.values, t.intermediate_values) for t in trials if t.number not in taken]


def recorded(folder: Path, run: int, step: int) -> bool:
    """Whether that many runs were begun, and the last of them has come so far."""
    records = sorted(folder.glob("runs/[0-9]*/metrics.jsonl"), key=lambda file: file.stat().st_ctime_ns)
    begun = sorted(folder.glob("runs/[0-9]*/config.json"))
    return len(begun) >= run and any(
        f'"step": {step},' in file.read_text(encoding="utf-8") for file in records[run - 1 :]
    )


def test_a_sweep_killed_again_and_again(source: Path, tmp_path: Path) -> None:
    """In the second trial's training, when a later trial has just been asked for, and between that and its run."""
    never, killed = tmp_path / "never", tmp_path / "killed"
    undisturbed = finish(start(source, never))
    kill_when(start(source, killed), lambda: recorded(killed, run=2, step=25))
    kill_when(start(source, killed), lambda: recorded(killed, run=4, step=3))
    locks = killed / "sweeps"
    kill_when(
        start(source, killed), lambda: any(int(file.name.split("-")[1][:-5]) > 7 for file in locks.glob(".*.lock"))
    )
    said = finish(start(source, killed))
    assert story(killed) == story(never)
    assert len(story(never)) == TRIALS
    assert {state.name for state, *_ in story(never)} == {"COMPLETE", "PRUNED"}
    # Numbers of trials apart, which count the broken ones.
    assert [line.split()[1:] for line in said[2:7]] == [line.split()[1:] for line in undisturbed[2:7]]
    assert len(list((killed / "runs").iterdir())) == len(list((never / "runs").iterdir()))


def test_two_processes_share_a_study(source: Path, tmp_path: Path) -> None:
    processes = [start(source, tmp_path) for _ in range(2)]
    for process in processes:
        finish(process)
    trials = story(tmp_path)
    assert {state.is_finished() for state, *_ in trials} == {True}
    assert TRIALS <= len(trials) <= TRIALS + 1
    assert len({tuple(params.values()) for _, params, *_ in trials}) == len(trials)


def error_of_least_squares(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, held_out: np.ndarray) -> float:
    """Squared error on the held-out part of a line fitted to the rest."""
    weights = np.linalg.lstsq(x[~held_out], y[~held_out], rcond=None)[0]
    return float(((x[held_out] @ weights - y[held_out]) ** 2).mean())


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(count, 5))
    return x, x.sum(1) + rng.normal(size=count)


def test_the_interval_over_folds_covers(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated cross-validation of least squares: 95 % of the intervals should hold the true error."""
    monkeypatch.syspath_prepend(str(source))
    from tried.engine.experiments.train_or_reuse import estimate

    rng = np.random.default_rng(0)
    count, folds, repeats, studies = 60, 5, 4, 300
    fresh = []
    for _ in range(3000):
        x, y = draw(rng, 12 + 48)
        fresh.append(error_of_least_squares(rng, x, y, np.arange(60) < 12))
    truth = float(np.mean(fresh))
    covered = {"corrected": 0, "naive": 0}
    for _ in range(studies):
        x, y = draw(rng, count)
        values = []
        for _ in range(repeats):
            part = rng.permutation(count) % folds
            values += [error_of_least_squares(rng, x, y, part == fold) for fold in range(folds)]
        for name, dependence in (("corrected", 1 / (folds - 1)), ("naive", 0.0)):
            low, high = estimate(values, dependence).ci95
            covered[name] += low <= truth <= high
    assert covered["corrected"] / studies > 0.9
    assert covered["naive"] / studies < 0.8
