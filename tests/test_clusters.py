"""The scripts for clusters, which no test can run there: linted, and run with stand-ins for the clusters' commands."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import render

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
SLURM = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_NNODES": "2", "SLURM_CPUS_PER_TASK": "8"}
SKY = {
    "SKYPILOT_NUM_NODES": "2",
    "SKYPILOT_NODE_RANK": "1",
    "SKYPILOT_NUM_GPUS_PER_NODE": "8",
    "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2",
}
STAND_INS = {
    "srun": 'echo "srun $*" >> calls; while [ -e wait ]; do sleep 0.05; done',
    "scontrol": 'echo "scontrol $*" >> calls; printf "node1\\nnode2\\n"',
    "scancel": 'echo "scancel $*" >> calls; rm wait',
    "torchrun": 'echo "torchrun $*" >> calls',
}


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale") / "some-project"
    render(template, folder, {"extras": ["scale"]})
    return folder


@pytest.fixture
def project(rendered: Path, tmp_path: Path) -> Path:
    """The scripts, with stand-ins for what a cluster and an environment have."""
    folder = shutil.copytree(rendered / "scripts", tmp_path / "project" / "scripts").parent
    for name, script in STAND_INS.items():
        program = folder / (".venv/bin" if name == "torchrun" else "bin") / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/bash\n{script}\n")
        program.chmod(0o755)
    (folder / "slurm-4711.log").touch()
    return folder


def start(project: Path, *command: str, **variables: str) -> subprocess.Popen[str]:
    path = f"{project / 'bin'}:{os.environ['PATH']}"
    return subprocess.Popen(command, cwd=project, env=os.environ | variables | {"PATH": path}, text=True)


def calls(project: Path) -> list[str]:
    file = project / "calls"
    return file.read_text().splitlines() if file.exists() else []


def read_sky(project: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((project / "scripts" / "sky.yaml").read_text(encoding="utf-8")))


def lint(*arguments: str, text: str | None = None) -> list[dict[str, Any]]:
    """What shellcheck says."""
    command = [str(SHELLCHECK), "--format=json", *arguments]
    found = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return list(json.loads(found.stdout))


def test_the_scripts_are_clean(rendered: Path) -> None:
    sky = read_sky(rendered)
    assert lint(str(rendered / "scripts" / "train.sbatch")) == []
    assert [lint("--shell=bash", "-", text=sky[part]) for part in ("setup", "run")] == [[], []]
    assert lint("--shell=bash", "-", text="echo $x\n") != []


def test_slurm_reads_its_options(rendered: Path) -> None:
    """It reads them up to the first line that is a command."""
    head = (rendered / "scripts" / "train.sbatch").read_text(encoding="utf-8").partition("\nset ")[0].splitlines()
    assert all(not line or line.startswith("#") for line in head)
    options = {line.removeprefix("#SBATCH --") for line in head if line.startswith("#SBATCH")}
    assert {"job-name=some-project", "requeue", "signal=B:TERM@300", "ntasks-per-node=1"} <= options
    assert {"output=slurm-%j.log", "open-mode=append"} <= options


def test_slurm_starts_every_node(project: Path) -> None:
    assert start(project, "bash", "scripts/train.sbatch", "train", "full", **SLURM).wait(30) == 0
    hostnames, training = calls(project)
    assert hostnames == "scontrol show hostnames node[1-2]"
    assert "--nnodes=2 " in training and "--rdzv-endpoint=node1:24711 " in training
    assert training.endswith("--module some_project train full")


def test_slurm_goes_on_with_the_run_in_its_log(project: Path) -> None:
    log = "srun: job 4711\nruns/20260101-120000-full: H200 in bf16\nruns/20260102-120000-full: H200 in bf16\n"
    (project / "slurm-4711.log").write_text(log)
    assert start(project, "bash", "scripts/train.sbatch", "train", "full", **SLURM).wait(30) == 0
    assert calls(project)[-1].endswith("--module some_project train --resume --run runs/20260101-120000-full")


def test_slurm_saves_and_queues_again_before_the_time_is_over(project: Path) -> None:
    (project / "wait").touch()
    job = start(project, "bash", "scripts/train.sbatch", "train", "full", **SLURM)
    deadline = time.monotonic() + 30
    while not any(call.startswith("srun") for call in calls(project)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    assert job.wait(30) == 128 + signal.SIGTERM
    assert calls(project)[-2:] == ["scancel --signal=TERM 4711", "scontrol requeue 4711"]


def test_slurm_does_not_queue_again_what_failed(project: Path) -> None:
    (project / "bin" / "srun").write_text("#!/bin/bash\nexit 3\n")
    assert start(project, "bash", "scripts/train.sbatch", "train", "full", **SLURM).wait(30) == 3
    assert "scontrol requeue 4711" not in calls(project)


def test_sky_has_the_fields_that_skypilot_knows(rendered: Path) -> None:
    sky = read_sky(rendered)
    known = {"name", "workdir", "num_nodes", "resources", "envs", "file_mounts", "setup", "run"}
    assert sky.keys() == known
    assert sky["resources"] == {"accelerators": "H100:8", "use_spot": True}
    assert sky["file_mounts"] == {"/runs": {"name": "some-project-runs", "mode": "MOUNT_CACHED"}}
    assert all(isinstance(value, str) for value in sky["envs"].values())


def test_sky_starts_and_goes_on(project: Path) -> None:
    sky = read_sky(project)
    run = sky["run"].replace("/runs/", f"{project}/bucket/")
    for _ in range(2):
        assert start(project, "bash", "-c", run, **sky["envs"], **SKY).wait(30) == 0
        (project / "bucket" / "first" / "20260101-120000-full").mkdir(exist_ok=True)
        (project / "bucket" / "first" / "20260101-120000-full" / "config.json").touch()
    first, second = calls(project)
    assert "--nnodes=2 --node-rank=1 --nproc-per-node=8 --master-addr=10.0.0.1 " in first
    assert first.endswith("--module some_project train full")
    assert second.endswith("--module some_project train --resume")


def test_what_the_log_is_searched_for_is_what_a_training_says(template: Path) -> None:
    engine = template / "template" / "{{ pytorch }}" / "src" / "{{ package }}" / "engine"
    session = (engine / "training" / "session.py").read_text("utf-8")
    assert 'print(f"{run}: {describe(device)} in {device.precision}", file=sys.stderr)' in session
