"""The notebooks begin with what the commands begin with."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from rendering import render

COMPARED = """
import sys, types
# It imports more than this needs.
sys.modules["some_project.engine.core.runs"] = types.SimpleNamespace(find=None, load_config=None)
names = {}
exec(sys.argv.pop(), names)
from some_project.presets import PRESETS
default = PRESETS["default"]()
assert names["whole"] in (default, default.data)
"""


@pytest.fixture(
    scope="module",
    params=[{}, {"adapter": "full", "gpu": "A100-80", "base_model": "Qwen/Qwen3-4B-Instruct-2507"}],
    ids=str,
)
def project(template: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A project of the family, and what was chosen for it."""
    folder = tmp_path_factory.mktemp("notebooks") / "some-project"
    answers: dict[str, Any] = {"family": "qwen", **request.param}
    render(template, folder, answers)
    return folder


@pytest.mark.parametrize("notebook", ["training/notebooks/sft_dbbench.py", "dataset/notebooks/dbbench_data.py"])
@pytest.mark.parametrize("change", ["", "train=1000", "validation=132"])
def test_the_first_cell_holds_the_preset_default(project: Path, notebook: str, change: str) -> None:
    text = (project / notebook).read_text(encoding="utf-8")
    found = re.search(r"\n@app.cell\ndef _\(\):\n(.*?)\n    return ", text, re.DOTALL)
    assert found
    cell = textwrap.dedent(found[1])
    assert change in cell
    command = [sys.executable, "-c", COMPARED, cell.replace(change, f"{change}1") if change else cell]
    done = subprocess.run(command, cwd=project / "src", capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode == 0) == (not change), done.stderr
