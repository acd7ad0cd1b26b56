"""How the sessions find interpreters, and what the unattended run passes on to them."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rendering import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins for programs are shell scripts")
SESSIONS = runpy.run_path(str(ROOT / "noxfile.py"))


def put_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(("script", "found"), [("exit 0", True), ("exit 127", False)])
def test_an_interpreter_counts_only_if_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, found: bool
) -> None:
    put_program(tmp_path / "bin", "python3.14", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert SESSIONS["_runs"]("3.14") is found
    assert SESSIONS["_runs"]("3.13") is False


def test_every_interpreter_is_either_covered_or_reported() -> None:
    assert {*SESSIONS["FOUND"], *SESSIONS["MISSING"]} >= set(SESSIONS["PYTHONS"])
    assert SESSIONS["FOUND"]


def unattended_environment(folder: Path, **variables: str) -> dict[str, str]:
    """The environment in which .ci/run starts its last line, where python3 and pyenv are stand-ins."""
    put_program(folder / "bin", "python3", 'env; echo "CONSTRAINT=$(cat "$UV_CONSTRAINT")"; exit 1')
    put_program(folder / "bin", "pyenv", "printf '3.9.1\\n3.11.7\\n3.12.1\\n3.13.0/envs/x\\nmiron\\n'")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_", "PYENV"))}
    environment = inherited | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"} | variables
    result = subprocess.run(
        ["bash", ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if re.match(r"\w+=", line))


def test_the_unattended_run_pins_pytorch_and_names_the_interpreters(tmp_path: Path) -> None:
    seen = unattended_environment(tmp_path)
    assert re.fullmatch(r"torch==[\d.]+", seen["CONSTRAINT"])
    assert seen["PYENV_VERSION"] == "3.11.7:3.12.1"
    assert "UV_FIND_LINKS" not in seen
    assert not Path(seen["UV_CONSTRAINT"]).exists(), "it clears up after itself"


def test_the_unattended_run_tells_uv_where_pip_finds_wheels(tmp_path: Path) -> None:
    assert unattended_environment(tmp_path, PIP_FIND_LINKS="/a/folder")["UV_FIND_LINKS"] == "/a/folder"


TORCH = """
__version__ = "2"
class cuda:
    is_available = staticmethod(lambda: {there})
    get_device_name = staticmethod(lambda: "a GPU")
"""


def carried(folder: Path, torch: str | None, tests: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What gpu/run.py says on a machine with this PyTorch, where these projects were carried to."""
    shutil.copy(ROOT / "gpu" / "run.py", folder)
    for project, test in tests.items():
        (folder / "projects" / project / "src" / "package").mkdir(parents=True)
        (folder / "projects" / project / "test_it.py").write_text(test)
        (folder / "projects" / project / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    if torch is not None:
        (folder / "machine").mkdir()
        (folder / "machine" / "torch.py").write_text(torch)
    environment = os.environ | {"PYTHONPATH": str(folder / "machine")}
    command = [sys.executable, "run.py", "--tests"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("torch", "said"),
    [(None, "no PyTorch"), (TORCH.format(there=False), "sees no CUDA device"), (TORCH.format(there=True), "is empty")],
)
def test_without_a_gpu_it_is_said_that_nothing_ran(tmp_path: Path, torch: str | None, said: str) -> None:
    done = carried(tmp_path, torch, {})
    assert done.returncode == 1
    assert "no gpu test was run" in done.stderr and said in done.stderr


def test_carried_projects_are_tested_and_failures_are_named(tmp_path: Path) -> None:
    test = "import pytest\n\n@pytest.mark.gpu\ndef test_it(): assert {holds}\n\ndef test_other(): assert False\n"
    tests = {"good-demo": test.format(holds=True), "bad-demo": test.format(holds=False)}
    done = carried(tmp_path, TORCH.format(there=True), tests)
    assert done.returncode == 1
    assert "passed  good-demo: gpu tests" in done.stdout and "FAILED  bad-demo: gpu tests" in done.stdout
