"""Checks in fresh environments: `uvx nox` runs them all; `uvx nox -s update` merges the latest template."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")
DEV = nox.project.dependency_groups(PROJECT, "dev")
ANSWERS = Path(".copier-answers.yml")
# In force when Copier has git fetch the template, beside what the person configured, such as credentials.
FETCHING = {"core.hooksPath": os.devnull, "core.attributesFile": os.devnull, "core.autocrlf": "false"}
ENGINE = re.compile("src/[^/]+/engine/|tests/engine/")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting."""
    session.install(*(package for package in DEV if package.startswith("ruff")))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, the engine's strictly and yours where you wrote some; and which modules import which."""
    session.install("-e", ".", *DEV)
    session.run("mypy")
    session.run("lint-imports", "--no-cache")


@nox.session
def tests(session: nox.Session) -> None:
    """Your tests; `nox -s tests -- -k resume` passes arguments on to pytest."""
    session.install("-e", ".", *DEV)
    session.run("pytest", *session.posargs)


@nox.session
def engine(session: nox.Session) -> None:
    """The engine's own tests, with their coverage."""
    session.install("-e", ".", *DEV)
    session.run("pytest", "tests/engine", *(session.posargs or ["--cov"]))


@nox.session(default=False)
def update(session: nox.Session) -> None:
    """Merge the template's latest release into this project; fail and name the files if a conflict is left.

    `-- --data tracker=none` changes an answer; `-- --force` deletes also files with changes of yours.

    The merge is between files as they lie on the disk: what the template rendered for this project, what it renders
    now, and yours. `copier update` goes through git instead, where a person's settings (ignored or untracked files,
    white space) decide whether it sees all of them.
    """
    forced, answers = "--force" in session.posargs, [word for word in session.posargs if word != "--force"]
    _require_source(session)
    _require_clean_repository(session)
    session.install("copier>=9.17.2")
    versions = json.loads(_copier(session, "check-update", "--output-format", "json"))
    if not versions["update_available"] and not answers:
        session.log(f"{versions['current_version']} is the latest release of the template.")
        return
    version, at = versions["latest_version"], []
    if not versions["update_available"]:
        version, at = versions["current_version"], ["--vcs-ref=:current:"]
    with tempfile.TemporaryDirectory() as folder:
        old = _render(session, Path(folder, "old"), "--vcs-ref=:current:")
        new = _render(session, Path(folder, "new"), *at, *answers)
        _check_edits(session, old, new, forced)
        conflicts = _merge(old, new)
    if conflicts:
        session.error(
            f"You and the template changed the same lines; settle these files by hand: {', '.join(conflicts)}"
        )
    session.log(f"Updated to {version}. Read `git diff`, run the tests and commit.")


def _environment() -> dict[str, str | None]:
    """What keeps a git that was started by another git, such as in a hook, from working on that one's repository."""
    local = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, encoding="utf-8", check=True)
    return {name: None for name in local.stdout.split() if not name.startswith("GIT_CONFIG")}


def _git(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    others = _environment()
    environment = {name: value for name, value in os.environ.items() if name not in others}
    return subprocess.run(
        ["git", *arguments], input=given, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def _copier(session: nox.Session, *arguments: str) -> str:
    """What a command of Copier prints; the person's credentials count when git fetches, and their hooks do not."""
    count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    environment = _environment() | {"GIT_CONFIG_COUNT": str(count + len(FETCHING))}
    for number, (key, value) in enumerate(FETCHING.items(), start=count):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return str(session.run("copier", *arguments, env=environment, silent=True, stderr=None))


def _render(session: nox.Session, folder: Path, *options: str) -> Path:
    """What the template renders for the recorded answers, in a folder of its own."""
    folder.mkdir()
    shutil.copy(ANSWERS, folder)
    _copier(session, "recopy", "--quiet", "--defaults", "--overwrite", *options, str(folder))
    return folder


def _require_clean_repository(session: nox.Session) -> None:
    if shutil.which("git") is None:
        session.error("An update is a merge, which needs git: install it, and commit this project.")
    status = _git("status", "--porcelain", "--untracked-files=normal", "--", ".")
    if status.returncode or _git("cat-file", "-e", f"HEAD:./{ANSWERS}").returncode:
        session.error("An update is a merge, which needs a commit: run `git init`, `git add .` and `git commit` first.")
    if status.stdout:
        session.error("There are changes that are not committed: commit or stash them first, so that none is lost.")


def _require_source(session: nox.Session) -> None:
    recorded = ANSWERS.read_text(encoding="utf-8").splitlines() if ANSWERS.is_file() else []
    for key in ("_src_path:", "_commit:"):
        if not any(line.startswith(key) for line in recorded):
            session.error(f"{ANSWERS} does not say which template this project came from ({key[:-1]} is missing).")


def _check_edits(session: nox.Session, old: Path, new: Path, forced: bool) -> None:
    """Say what was changed of the engine; stop where an edit lies in a file that the new version does not have."""
    edited = [path for path in _paths(old) if path != str(ANSWERS) and _read(Path(path)) != _read(old / path)]
    if engine := [path for path in edited if ENGINE.match(path)]:
        session.log(f"You changed these files of the engine: {', '.join(engine)}")
    gone = [path for path in edited if Path(path).is_file() and not (new / path).is_file()]
    if gone and not forced:
        session.error(
            "The update moves or removes files that you changed. Make your changes elsewhere (the template's "
            f"changelog says what moved), then let these go with `nox -s update -- --force`: {', '.join(gone)}"
        )
    if gone and _git("ls-files", "--error-unmatch", "--", *gone).returncode:
        session.error(f"Commit these files first, with `git add --force`, so that none is lost: {', '.join(gone)}")


def _paths(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _read(path: Path) -> bytes | None:
    """What a file holds; where all its lines end as on Windows, as if they ended as the template's."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    return content.replace(b"\r\n", b"\n") if _ends_as_on_windows(content) else content


def _ends_as_on_windows(content: bytes) -> bool:
    return content.count(b"\r\n") == content.count(b"\n") > 0


def _merge(old: Path, new: Path) -> list[str]:
    """Bring what changed between two renders into this project; return the files where its owner changed the same."""
    merged, conflicts = {}, []
    for path in sorted({*_paths(old), *_paths(new)}):
        mine, before, after = (_read(folder / path) for folder in (Path(), old, new))
        if path == str(ANSWERS) or mine == before:
            merged[path] = after
        elif mine is None or before == after or mine == after:  # what was deleted stays deleted
            continue
        elif after is None:
            merged[path] = None
        else:
            merged[path], clean = _merge_file(mine, before or b"", after)
            conflicts += [] if clean else [path]
    for path, content in merged.items():
        _write(Path(path), content, new / path)
    for path in conflicts:
        _mark_unmerged(path, old, new)
    return conflicts


def _merge_file(mine: bytes, before: bytes, after: bytes) -> tuple[bytes, bool]:
    """Both sides' changes, and whether they are in different lines; the owner's alone where it is no text."""
    names = ("before updating", "last update", "after updating")  # git writes them beside the marks of a conflict
    with tempfile.TemporaryDirectory() as folder:
        for name, content in zip(names, (mine, before, after), strict=True):
            Path(folder, name).write_bytes(content)
        result = subprocess.run(["git", "merge-file", "-p", *names], cwd=folder, capture_output=True, check=False)
    return (result.stdout if result.returncode < 128 else mine), result.returncode == 0


def _write(path: Path, content: bytes | None, rendered: Path) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the first folder that holds something else
            for folder in path.parents:
                folder.rmdir()
    elif not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(rendered, path)
    elif content != _read(path):
        windows = _ends_as_on_windows(path.read_bytes())
        path.write_bytes(content.replace(b"\n", b"\r\n") if windows else content)


def _mark_unmerged(path: str, old: Path, new: Path) -> None:
    """Have git list a file as unmerged, so that it is not committed by mistake and `git checkout --theirs` works."""
    entry, _, name = _git("ls-files", "--stage", "--full-name", "-z", "--", path).stdout.rstrip("\0").partition("\t")
    if not entry.startswith("100"):  # it is no file to git, which ignores it or holds a link
        return
    mode, mine, _ = entry.split()
    stages = {2: mine}
    for stage, side in ((1, old), (3, new)):
        if (side / path).is_file():
            stages[stage] = _git("hash-object", "-w", "--no-filters", "--", str(side / path)).stdout.strip()
    lines = [f"0 {'0' * len(mine)}\t{name}", *(f"{mode} {blob} {stage}\t{name}" for stage, blob in stages.items())]
    _git("update-index", "-z", "--index-info", given="".join(f"{line}\0" for line in lines))
