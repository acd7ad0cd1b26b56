"""How the sessions find interpreters, and what the unattended run passes on to them."""

import os
import re
import runpy
import subprocess
from pathlib import Path

import pytest
from rendering import ROOT

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
