"""The rendered project's own tests where files behave as on Windows; tests/windows/ says how far."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import transformer_demo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for Windows reads /proc")
PROJECT = Path(transformer_demo.__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parent / "windows")}
# Those that write, rename and lock files, and start processes; the others reach the same functions.
TESTED = (
    "test_data",
    "test_resume",
    "engine/cli/test_main",
    "engine/core/test_runs",
    "engine/core/test_tracking",
    "engine/report/test_results",
    "engine/splits/test_splits",
    "engine/training/test_checkpoint",
    "engine/training/test_seeding",
)


def run(*words: str, folder: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, encoding="cp1252", check=False)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("open('a', 'w').write('\u6f22')", "'charmap' codec can't encode"),
        ("print('\u6f22')", "'charmap' codec can't encode"),
        ("held = open('a', 'w'); os.rename('a', 'b')", "Permission denied"),
        ("held = open('a', 'w'); os.remove('a')", "Permission denied"),
        ("os.mkdir('d'); held = open('d/a', 'w'); shutil.rmtree('d')", "Permission denied"),
        ("np.save('a', [1]); held = np.load('a.npy', mmap_mode='r'); os.remove('a.npy')", "Permission denied"),
        ("open('a', 'w'); open('b', 'w'); os.rename('a', 'b')", "File exists"),
        ("os.mkdir('d'); os.mkdir('e'); os.replace('d', 'e')", "Permission denied"),
        ("os.open('.', os.O_RDONLY)", "Permission denied"),
        ("open('a', 'w'); os.fsync(os.open('a', os.O_RDONLY))", "Bad file descriptor"),
        ("open('12:30', 'w')", "Invalid argument"),
        ("pathlib.Path('a').symlink_to('b')", "Operation not permitted"),
        ("open('a', 'w').write('x\\n'); assert open('a', 'rb').read() == b'x\\n'", "AssertionError"),
        ("assert multiprocessing.get_start_method() == 'fork'", "AssertionError"),
    ],
)
def test_the_stand_in_refuses_what_windows_does(tmp_path: Path, code: str, said: str) -> None:
    result = run("-c", f"import multiprocessing, os, pathlib, shutil\nimport numpy as np\n{code}", folder=tmp_path)
    assert result.returncode == 1
    assert said in result.stderr


def test_the_stand_in_allows_the_rest(tmp_path: Path) -> None:
    code = "with open('a', 'w') as f: f.write('x')\nos.replace('a', 'b'); os.remove('b'); os.mkdir('d'); os.rmdir('d')"
    result = run("-c", f"import os\n{code}", folder=tmp_path)
    assert result.returncode == 0, result.stderr


def test_the_project_keeps_to_the_rules_of_windows() -> None:
    tests = [f"tests/{name}.py" for name in TESTED]
    result = run("-m", "pytest", "--quiet", "-p", "no:cacheprovider", *tests)
    assert result.returncode == 0, result.stdout
