"""Everything that checks the template: `nox` runs the default sessions, `nox -l` lists them all."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.sessions = [
    "lint",
    "docs",
    "template",
    "updates",
    "oracles",
    "mlflow",
    "libraries",
    "fitting",
    "variants",
    "engine",
]

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
DOCS = nox.project.dependency_groups(PROJECT, "docs")
TEST = nox.project.dependency_groups(PROJECT, "test")
VARIANTS: dict[str, dict[str, str]] = PROJECT["tool"]["seedbed"]["variants"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
TRACKERS = ("tensorboard", "wandb", "none")
# transformers as pip installs it, and as uv locks it, beside the vLLM of the extra, which allows no later one.
TRANSFORMERS = {"dbbench": "transformers>=5.20", "alfworld": "transformers<5.20"}
PLATFORMS = ("linux", "win32", "darwin")  # the engine's types hold on each, seen from any

# Whose tests of the engine run: all of a family's first project, and of the others what that lacks.
ENGINES = {
    "transformer": "pytorch",
    "blank-experiments": "pytorch",
    "cnn": "pytorch",
    "diffusion": "pytorch",
    "clip": "pytorch",
    "rnn": "pytorch",
    "transformer-scale": "pytorch",
}
ENGINES |= {"dbbench": "qwen", "alfworld": "qwen"}
FIRST = {family: next(name for name, of in ENGINES.items() if of == family) for family in ("pytorch", "qwen")}

MLFLOW = [f"tests/engine/{name}.py" for name in ("core/test_tracking", "core/test_mlflow", "training/test_trainer")]
LIBRARIES = [f"tests/engine/images/{name}.py" for name in ("test_backbone", "test_hub", "test_manifests")]
# What a file's tests share, such as a rendered project or a trained run, is made once.
BY_FILE = ["--numprocesses=auto", "--dist=loadfile"]
SITE = ["tests/test_docs.py"]
UPDATES = ["tests/test_updates.py", "tests/test_update_campaign.py"]
# These need what the rendered projects need, and an independent implementation to compare with.
# The two that take longest come first, so that no process is left alone with them at the end.
ORACLES = [
    "tests/test_diagnose.py",
    "tests/test_walk.py",
    "tests/test_campaign.py",
    "tests/test_oracles.py",
    "tests/test_autoencoder.py",
    "tests/test_clip.py",
    "tests/test_convnet.py",
    "tests/test_diffusion.py",
    "tests/test_kill.py",
    "tests/test_leakage.py",
    "tests/test_page.py",
    "tests/test_probes.py",
    "tests/test_rnn.py",
    "tests/test_seam.py",
    "tests/test_series.py",
    "tests/test_statistics.py",
    "tests/test_sudoku.py",
    "tests/test_sweeps.py",
    "tests/test_flagship.py",
    "tests/test_titans.py",
    "tests/test_walks.py",
    "tests/test_windows.py",
]


def _runs(version: str) -> bool:
    """Whether this interpreter is there and starts: a shim may be there for one that is not."""
    program = shutil.which(f"python{version}")
    if program is None:
        return False
    return subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0


FOUND = [version for version in PYTHONS if _runs(version)] or [f"{sys.version_info.major}.{sys.version_info.minor}"]
MISSING = [version for version in PYTHONS if version not in FOUND]


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types of the template's own files, and the style of the plain files that it renders."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The site, in docs/_build/; a warning, such as a broken link, is an error."""
    session.install(*DOCS)
    session.run("sphinx-build", "--fresh-env", "--fail-on-warning", "--quiet", "docs", "docs/_build")
    session.run("pytest", "--numprocesses", "auto", *SITE, *session.posargs)


@nox.session
def template(session: nox.Session) -> None:
    """Answers, rules and renders; arguments after `--` go to pytest."""
    session.install(*TEST)
    left_out = [f"--ignore={path}" for path in SITE + UPDATES + ORACLES]
    session.run("pytest", *BY_FILE, *left_out, *session.posargs)


@nox.session
def updates(session: nox.Session) -> None:
    """Updates from every release to this commit."""
    session.install(*TEST)
    session.run("pytest", "--numprocesses", "auto", *UPDATES, *session.posargs)


@nox.session
def oracles(session: nox.Session) -> None:
    """The rendered code against independent implementations, and killed at every moment."""
    project = _render(session, "transformer", Path(session.create_tmp()))
    group = f"{project / 'pyproject.toml'}:dev"
    session.install(
        "--editable",
        str(project),
        "--group",
        group,
        *TEST,
        "transformers>=4.50",
        "diffusers>=0.35",
        "pyarrow",
        "scikit-learn",
        "optuna",
        "scipy",
        "html5lib",
        "titans-pytorch>=0.5.5",
    )
    session.run("pytest", *BY_FILE, *ORACLES, *session.posargs)


@nox.session
def mlflow(session: nox.Session) -> None:
    """The tracker that takes half a minute to import, without the tests that start many processes."""
    project = _render(session, "transformer", Path(session.create_tmp()), tracker="mlflow")
    session.install("--editable", str(project), "--group", f"{project / 'pyproject.toml'}:dev")
    session.chdir(project)
    session.run("pytest", *MLFLOW, *session.posargs)


@nox.session(venv_backend="virtualenv")
def libraries(session: nox.Session) -> None:
    """What a project does with its extras' libraries: datasets, pyarrow, timm and the PyTorch that torchvision fits."""
    if shutil.disk_usage(ROOT).free < 8e9:
        session.skip("PyTorch's build that torchvision fits takes 6 GB, and there are less than 8 here.")
    project = _render(session, "cnn", Path(session.create_tmp()))
    tests = ["beartype", "pytest", "pytest-xdist"]
    session.install("--quiet", "--editable", f"{project}[hub,parquet,timm]", *tests)
    session.run("python", "-c", "import datasets, pyarrow, timm, torchvision")  # a test without its library is skipped
    session.chdir(project)
    session.run("pytest", *BY_FILE, *LIBRARIES, *session.posargs)


@nox.session
def fitting(session: nox.Session) -> None:
    """Which adapters fit on which GPU: copier.yml against the estimates; `-- --write` puts them into copier.yml."""
    with tempfile.TemporaryDirectory() as folder:
        project = _render(session, "dbbench", Path(folder))
        python = _environment(session, project, "dbbench")
        package = project.name.replace("-", "_")
        wish = session.posargs[0] if session.posargs else "--check"
        session.run(str(python), "benchmarks/fitting.py", package, wish, "copier.yml", external=True)


@nox.session(python=FOUND)
@nox.parametrize("variant", [nox.param(name, id=name) for name in VARIANTS])
def variants(session: nox.Session, variant: str) -> None:
    """Render a variant, and run its owner's tests and a short training; with the first interpreter lint and types."""
    _warn_of_missing(session)
    if session.python not in (FOUND[0], _later(variant)):
        session.skip("Each is tested with the first interpreter, and some architectures with one of the others.")
    with tempfile.TemporaryDirectory() as folder:
        project = _render(session, variant, Path(folder), tracker=_tracker(session, variant))
        python = _environment(session, project, variant)
        session.chdir(project)
        if session.python == FOUND[0]:
            _run(session, python, "ruff", "check", ".")
            _run(session, python, "ruff", "format", "--check", ".")
            session.run(str(python.with_name("lint-imports")), "--no-cache", external=True)
            for platform in PLATFORMS if variant == next(iter(VARIANTS)) else [sys.platform]:
                _run(session, python, "mypy", "--platform", platform, "--cache-dir", f".mypy_cache/{platform}")
        _run(session, python, "pytest", "tests", "--ignore=tests/engine", "--numprocesses=2", *session.posargs)
        _run(session, python, "pytest", "--quiet", "tests/engine/cli/test_main.py", "-k", "help_is_quick")
        sane = [["check"]] if VARIANTS[variant]["family"] == "pytorch" and session.python == FOUND[0] else []
        for command in (["train", "smoke"], ["evaluate"], *sane):
            _run(session, python, _package(project), *command)


@nox.session(python=FOUND)
@nox.parametrize("variant", [nox.param(name, id=name) for name in ENGINES])
def engine(session: nox.Session, variant: str) -> None:
    """The engine's own tests and their coverage: in one project of each family, and what that lacks in others."""
    _warn_of_missing(session)
    if variant != FIRST["pytorch"] and session.python != FOUND[0]:
        session.skip("The engine is tested with the later interpreters in one project.")
    with tempfile.TemporaryDirectory() as folder:
        project = _render(session, variant, Path(folder), tracker=_tracker(session, variant))
        tests = ["tests/engine", f"--cov=src/{_package(project)}/engine"]
        if variant != (first := FIRST[ENGINES[variant]]):
            tests = _lacking(project, _render(session, first, Path(folder), tracker="none"))
        python = _environment(session, project, variant)
        session.chdir(project)
        _run(session, python, "pytest", *tests, "--numprocesses=2", *session.posargs)


@nox.session(default=False)
def campaign(session: nox.Session) -> None:
    """A hundred kills and thirty full disks at random moments; `-- --seed 3` draws others, `-- --quick` takes a few."""
    project = _render(session, "transformer", Path(session.create_tmp()))
    session.install("--editable", str(project))
    session.run("python", "tests/campaign.py", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure every claim of speed in one run; `-- --write` adds the table to docs/benchmarks.md."""
    folder = Path(session.create_tmp()).resolve()
    projects = [_render(session, variant, folder) for variant in VARIANTS]
    editable = [word for project in projects for word in ("--editable", str(project))]
    group = ["--group", f"{projects[0] / 'pyproject.toml'}:dev", "pytest-xdist>=3.6"]
    with session.chdir(folder / "alfworld-demo"):  # where uv finds what that project overrides
        session.install(*editable, *group, "copier>=9.17.2", *nox.project.dependency_groups(PROJECT, "bench"))
    session.run("python", "benchmarks/bench.py", *session.posargs, *map(str, projects))


@nox.session(default=False)
def gpu(session: nox.Session) -> None:
    """Every variant's gpu tests where there is a GPU; `-- 3.12` packs gpu/ for a machine with Python 3.12 and torch."""
    folder = ROOT / "gpu"
    for name in ("projects", "packages"):
        shutil.rmtree(folder / name, ignore_errors=True)
    pytorch = [variant for variant in VARIANTS if VARIANTS[variant]["family"] == "pytorch"]
    projects = [_render(session, variant, folder / "projects") for variant in pytorch]
    if session.posargs:
        _pack(session, projects, folder / "packages", session.posargs[0])
        session.log("Carry gpu/ to the machine, and run there: python gpu/run.py")
    elif shutil.which("nvidia-smi") is None:
        session.skip(
            "No NVIDIA driver here, so no gpu test was run; nox -s gpu -- 3.12 packs them for another machine."
        )
    else:
        editable = [word for project in projects for word in ("--editable", str(project))]
        session.install(*editable, "--group", f"{projects[0] / 'pyproject.toml'}:dev")
        session.run("python", str(folder / "run.py"))


@nox.session(default=False, venv_backend="none")
def demo(session: nox.Session) -> None:
    """Run the README's first line in a clean clone, as a newcomer would."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "seedbed")
        session.run("git", "clone", "--quiet", str(ROOT), str(clone), external=True)
        session.chdir(clone)
        session.run("bash", "-c", _first_block(clone / "README.md"), external=True)


def _warn_of_missing(session: nox.Session) -> None:
    if MISSING:
        session.warn(f"These interpreters were not found and are not covered: {', '.join(MISSING)}")


def _package(project: Path) -> str:
    return project.name.replace("-", "_")


def _later(variant: str) -> str | None:
    """The interpreter that a variant is tested with beside the first; a later one tests two architectures."""
    plain = [name for name, of in VARIANTS.items() if of["family"] == "pytorch" and "extras" not in of]
    later = FOUND[1:]
    tested = plain[: 2 * len(later)]
    return later[tested.index(variant) % len(later)] if variant in tested else None


def _lacking(project: Path, first: Path) -> list[str]:
    """The tests of the engine that another project does not have, or has for other modules."""

    def tests(of: Path) -> dict[str, str]:
        files = of.glob("tests/engine/**/test_*.py")
        return {file.relative_to(of).as_posix(): file.read_text("utf-8").replace(_package(of), "") for file in files}

    there = tests(first)
    return [path for path, text in sorted(tests(project).items()) if there.get(path) != text]


def _tracker(session: nox.Session, variant: str) -> str:
    """Each variant takes another tracker with each interpreter, instead of all of them with all."""
    return TRACKERS[(list(VARIANTS).index(variant) + FOUND.index(str(session.python))) % len(TRACKERS)]


def _render(session: nox.Session, variant: str, folder: Path, **answers: str) -> Path:
    """Render the working tree, what is not committed included, without trusting it."""
    session.install("copier>=9.17.2")
    project = folder / f"{variant}-demo"
    data = [f"--data={question}={answer}" for question, answer in {**VARIANTS[variant], **answers}.items()]
    options = ["--quiet", "--defaults", "--overwrite", "--vcs-ref=HEAD"]
    session.run("copier", "copy", *options, *data, str(ROOT), str(project))
    return project


def _pack(session: nox.Session, projects: list[Path], packages: Path, python: str) -> None:
    """Install what the projects and their tests need and PyTorch does not bring, for another machine's Python."""
    machine = ["--quiet", "--python-version", python, "--python-platform", "x86_64-manylinux_2_28"]
    with tempfile.TemporaryDirectory() as folder:
        torch, tests = Path(folder, "torch.txt"), Path(folder, "tests.txt")
        torch.write_text("torch\n", encoding="utf-8")
        tests.write_text("pytest\nbeartype\n", encoding="utf-8")
        compiling = ["uv", "pip", "compile", *machine, "--no-header", "--no-annotate"]
        needed = session.run(*compiling, str(tests), *(str(p / "pyproject.toml") for p in projects), silent=True)
        there = str(session.run(*compiling, str(torch), silent=True)).splitlines()
    names = {line.split("==")[0] for line in there}
    wanted = [line for line in str(needed).splitlines() if line.split("==")[0] not in names]
    options = ["--target", str(packages), "--no-deps", "--only-binary", ":all:"]
    session.run("uv", "pip", "install", *machine, *options, *wanted)


def _environment(session: nox.Session, project: Path, variant: str) -> Path:
    """Install a project into the environment that all variants of its family share."""
    version = session.python or FOUND[0]
    folder = ROOT / ".nox" / f"{VARIANTS[variant]['family']}-{version}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        session.run("uv", "venv", "--quiet", "--python", str(version), str(folder))
    group = f"{project / 'pyproject.toml'}:dev"
    into = ["--quiet", "--python", str(python)]
    with session.chdir(project):  # where uv finds what the project overrides
        wanted = ["pytest-xdist>=3.6", *([TRANSFORMERS[variant]] if variant in TRANSFORMERS else [])]
        session.run("uv", "pip", "install", *into, "--editable", str(project), "--group", group, *wanted)
    return python


def _run(session: nox.Session, python: Path, module: str, *arguments: str) -> None:
    environment = {
        "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
        "WANDB_MODE": "offline",
    }
    if session.python != "3.11":
        environment["COVERAGE_CORE"] = "sysmon"  # costs less than tracing, and came with Python 3.12
    session.run(str(python), "-m", module, *arguments, env=environment, external=True)


def _first_block(readme: Path) -> str:
    return readme.read_text(encoding="utf-8").split("```")[1].partition("\n")[2].strip()
