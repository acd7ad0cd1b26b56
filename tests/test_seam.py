"""The task interface carries tasks that look nothing like a language model, bitwise through real kills.

Each is a script of its own that trains into a folder; the test kills it with SIGKILL and starts it again.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rendering import render
from safetensors.torch import load_file

TASKS = Path(__file__).parent / "tasks"
STEPS = 120
two_processes = pytest.mark.skipif(
    sys.platform == "win32", reason="torchrun needs libuv, and killing them a process group"
)


def run(task: str, folder: Path, kill_at: int | None = None) -> None:
    """Train; with `kill_at`, kill the process once it has recorded that step."""
    process = subprocess.Popen([sys.executable, TASKS / f"{task}.py", folder], stderr=subprocess.PIPE)
    record = folder / "metrics.jsonl"
    if kill_at is not None:
        while process.poll() is None and not (record.exists() and f'"step": {kill_at},' in record.read_text()):
            time.sleep(0.001)
        process.kill()
    _, error = process.communicate(timeout=120)
    assert (process.returncode == 0) == (kill_at is None), error.decode()


def final(folder: Path) -> tuple[bytes, list[torch.Tensor], list[str]]:
    """Weights, every tensor of the last checkpoint, and what was measured apart from the clock."""
    state = torch.load(folder / "checkpoints" / f"step-{STEPS}" / "state.pt", weights_only=True)
    tensors = [leaf for leaf in torch.utils._pytree.tree_leaves(state) if isinstance(leaf, torch.Tensor)]
    lines = [line.split('"timing/')[0] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return (folder / "model.safetensors").read_bytes(), tensors, lines


@pytest.mark.parametrize("task", ["stateful", "contrastive"])
def test_killed_equals_never_killed(task: str, tmp_path: Path) -> None:
    never, killed = tmp_path / "never", tmp_path / "killed"
    run(task, never)
    for step in (7, 80):
        run(task, killed, kill_at=step)
    run(task, killed)
    (weights, tensors, lines), (weights_2, tensors_2, lines_2) = final(never), final(killed)
    assert weights == weights_2
    assert lines == lines_2
    assert len(tensors) > 10
    assert all(torch.equal(a, b) for a, b in zip(tensors, tensors_2, strict=True))


@two_processes
def test_a_loss_over_the_whole_batch_on_two_processes(tmp_path: Path) -> None:
    alone, two = tmp_path / "alone", tmp_path / "two"
    run("contrastive", alone)
    torchrun("contrastive", two)
    together = load_file(two / "model.safetensors")
    for name, value in load_file(alone / "model.safetensors").items():
        torch.testing.assert_close(together[name], value, rtol=1e-2, atol=1e-3)


def torchrun(task: str, folder: Path, kill_at: int | None = None, source: Path | None = None) -> None:
    """Train on two processes; with `kill_at`, kill them once that step is recorded; with `source`, by that project."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | ({"PYTHONPATH": str(source)} if source else {})
    process = subprocess.Popen(
        [*command, str(TASKS / f"{task}.py"), str(folder)],
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    record = folder / "metrics.jsonl"
    if kill_at is not None:
        while process.poll() is None and not (record.exists() and f'"step": {kill_at},' in record.read_text()):
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGKILL)
        # The workers are in sessions of their own; they end when the connection to their parent breaks.
        subprocess.run(["pkill", "-KILL", "-f", str(folder)], check=False)
    _, error = process.communicate(timeout=120)
    assert process.returncode == (0 if kill_at is None else -signal.SIGKILL), error.decode()


@two_processes
def test_two_processes_killed_equal_two_never_killed(tmp_path: Path) -> None:
    never, killed = tmp_path / "never", tmp_path / "killed"
    torchrun("stateful", never)
    torchrun("stateful", killed, kill_at=47)
    torchrun("stateful", killed)
    (weights, tensors, lines), (weights_2, tensors_2, lines_2) = final(never), final(killed)
    assert weights == weights_2
    assert lines == lines_2
    assert all(torch.equal(a, b) for a, b in zip(tensors, tensors_2, strict=True))


def shards(folder: Path) -> list[tuple[str, bytes]]:
    """The tensors that each process wrote into the last checkpoint."""
    files = sorted((folder / "checkpoints" / f"step-{STEPS}").glob("shard-*.safetensors"))
    assert len(files) == 2
    return [(name, value.numpy().tobytes()) for file in files for name, value in sorted(load_file(file).items())]


def test_two_sharded_processes_killed_equal_two_never_killed(template: Path, tmp_path: Path) -> None:
    project = tmp_path / "transformer-demo"
    render(template, project, {"extras": ["scale"]})
    never, killed = tmp_path / "never", tmp_path / "killed"
    torchrun("stateful", never, source=project / "src")
    torchrun("stateful", killed, kill_at=47, source=project / "src")
    torchrun("stateful", killed, source=project / "src")
    assert shards(never) == shards(killed)
    (weights, tensors, lines), (weights_2, tensors_2, lines_2) = final(never), final(killed)
    assert weights == weights_2
    assert lines == lines_2
    assert all(torch.equal(a, b) for a, b in zip(tensors, tensors_2, strict=True))
