"""How long a person waits: for a copy, for help, for a trained model, for a project's tests."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def run(*command: str | Path, folder: Path | None = None) -> str:
    """What a command prints; one that fails is shown with its errors."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def copies(copier: str, template: Path, folder: Path, turns: int = 5) -> tuple[float, float]:
    """Median seconds of `copier copy` from a clone of the template, and from an empty template."""
    ours, empty = folder / "ours", folder / "empty"
    run("git", "clone", "--quiet", template, ours)
    empty.mkdir()
    (empty / "copier.yml").write_text("name: nothing\n")
    (empty / "{{ name }}.txt.jinja").write_text("{{ name }}\n")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "An empty template"]):
        run("git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", *command, folder=empty)
    times: dict[Path, list[float]] = {ours: [], empty: []}
    for turn in range(turns):
        for source, taken in times.items():
            target = folder / f"{source.name}-{turn}"
            command = (copier, "copy", "--quiet", "--defaults", "--vcs-ref=HEAD", source, target)
            taken.append(timed(lambda command=command: run(*command)))
    return statistics.median(times[ours]), statistics.median(times[empty])


def help_seconds(python: Path, package: str, turns: int = 7) -> float:
    """Median seconds of `--help`.

    Raises:
        RuntimeError: it imports PyTorch.
    """
    code = f"import sys, {package}.__main__ as m\ntry: m.main(['--help'])\n"
    run(python, "-c", code + "except SystemExit: sys.exit('torch' in sys.modules)")
    return statistics.median(timed(lambda: run(python, "-m", package, "--help")) for _ in range(turns))


def trained(copier: str, template: Path, python: Path, folder: Path) -> float:
    """Seconds from `copier copy` to the report of the default transformer; the packages are installed already."""
    project = folder / "trained"

    def copy_and_train() -> None:
        run(copier, "copy", "--quiet", "--defaults", "--vcs-ref=HEAD", template, project)
        environment = os.environ | {"PYTHONPATH": str(project / "src")}
        subprocess.run(
            [python, "-m", "trained", "train"], cwd=project, env=environment, capture_output=True, check=True
        )

    return timed(copy_and_train)


def tests(python: Path, project: Path) -> float:
    """Seconds of a project's own tests with two processes."""
    return timed(lambda: run(python, "-m", "pytest", "-q", "--numprocesses=2", folder=project))


def copier_beside(python: str = sys.executable) -> str:
    """The copier of this environment."""
    return str(Path(python).parent / "copier")
