"""Run the `gpu` tests of every project in projects/, then profile their preset `full`.

This needs Python, PyTorch with CUDA and nothing else: `nox -s gpu -- 3.12` puts the projects beside this file, together
with all that they need besides PyTorch, for Python 3.12 on x86-64 Linux. Carry the folder to the machine, and there:

    python run.py            tests and profiles
    python run.py --tests    tests alone
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent.resolve()


def environment(project: Path) -> dict[str, str]:
    """Where Python finds a project and its packages; what the machine has itself comes first."""
    paths = [str(project / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "REQUIRE_GPU": "1"}


def run(project: Path, *arguments: str) -> bool:
    """Run a module in a project with the carried packages behind the machine's own; whether it ended well."""
    start = f"import site, runpy, sys; site.addsitedir({str(HERE / 'packages')!r}); sys.argv = {list(arguments)!r}; "
    code = f"{start}runpy.run_module({arguments[0]!r}, run_name='__main__', alter_sys=True)"
    print(f"\n{project.name}: {' '.join(arguments)}", flush=True)
    return (
        subprocess.run([sys.executable, "-c", code], cwd=project, env=environment(project), check=False).returncode == 0
    )


def main() -> None:
    """Run everything, and say at the end what failed."""
    try:
        import torch
    except ImportError:
        sys.exit("no gpu test was run: this Python has no PyTorch")
    if not torch.cuda.is_available():
        sys.exit("no gpu test was run: this PyTorch sees no CUDA device")
    projects = sorted(path for path in (HERE / "projects").glob("*") if path.is_dir())
    if not projects:
        sys.exit(f"no gpu test was run: {HERE / 'projects'} is empty; `nox -s gpu` fills it")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, Python {sys.version.split()[0]}")
    outcomes = {}
    for project in projects:
        outcomes[f"{project.name}: gpu tests"] = run(project, "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-q")
        if "--tests" not in sys.argv:
            package = next((project / "src").iterdir()).name
            outcomes[f"{project.name}: profile of full"] = run(project, package, "profile", "full")
    print()
    for what, passed in outcomes.items():
        print(f"{'passed' if passed else 'FAILED':8}{what}")
    sys.exit(not all(outcomes.values()))


if __name__ == "__main__":
    main()
