"""A project rendered from any release takes an update to this commit, and keeps what its owner did."""

import difflib
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from releases import (
    ENGINE,
    GIT_ENVIRONMENT,
    LATER,
    LATER_LINE,
    MOVED,
    NOW,
    STAND_IN,
    clone_with_tags,
    commit_all,
    git,
    released,
    variants_of,
)
from rendering import VARIANTS, files, render
from rules import SELECTING, Overlays, combinations, overlays, switches, vanished
from updating import NOXFILE

RELEASES = list(released()) or [STAND_IN]
MARK = "# the owner's own line"
NAME = "some-project"
PACKAGE = "some_project"
OWN = ["presets.py", "tasks.py", "expert.py", "protocol.py", "sft.py", "budgets.py"]
OWN += ["config.py", "data.py", "task.py", "predict.py", "model.py"]
"""Files of the owner's that stay where they are; the last six since 0.1.0."""

both = pytest.mark.parametrize(
    ("variant", "release"),
    [(variant, release) for release in RELEASES for variant in VARIANTS if variant in variants_of(release)],
    scope="session",
)


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tagged clone."""
    return clone_with_tags(tmp_path_factory.mktemp("origin") / "seedbed")


@pytest.fixture(scope="session", autouse=True)
def _own_git_settings() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


class Projects:
    """Rendered and committed projects, rendered once each and copied for every test."""

    def __init__(self, origin: Path, folder: Path) -> None:
        self.origin = origin
        self.folder = folder

    def original(self, variant: str, version: str) -> Path:
        """A rendered project that no test may change."""
        project = self.folder / f"{variant}-{version}" / NAME
        if not project.exists():
            render(self.origin, project, VARIANTS[variant], vcs_ref=version)
            commit_all(project, "Rendered")
        return project

    def fresh(self, variant: str, release: str) -> Path:
        """This commit's render with what a project of that release had chosen: a later default is not its choice."""
        recorded = yaml.safe_load((self.original(variant, release) / ".copier-answers.yml").read_text(encoding="utf-8"))
        project = self.folder / f"{variant}-{NOW}-after-{release}" / NAME
        if not project.exists():
            chosen = {question: recorded[question] for question in SELECTING["pytorch"] if question in recorded}
            render(self.origin, project, VARIANTS[variant] | chosen, vcs_ref=NOW)
        return project

    def copy(self, variant: str, version: str, to: Path) -> Path:
        """A copy of it to edit and update."""
        return shutil.copytree(self.original(variant, version), to / NAME)


@pytest.fixture(scope="session")
def projects(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Projects:
    return Projects(origin, tmp_path_factory.mktemp("projects"))


def update(project: Path, version: str = NOW, **answers: Any) -> None:
    copier.run_update(
        project, answers, defaults=True, overwrite=True, quiet=True, unsafe=False, vcs_ref=version,
        settings=copier.Settings(),
    )  # fmt: skip


LEAST = 8


class NothingShared(Exception):
    """A release and this commit have no run of lines in common in which an edit is far from what changed."""


def insert_far_from_changes(old: str, new: str) -> tuple[str, str]:
    """Both texts with a line of the owner's in the middle of the longest run of lines that they share."""
    olds, news = old.splitlines(keepends=True), new.splitlines(keepends=True)
    match = difflib.SequenceMatcher(a=olds, b=news, autojunk=False).find_longest_match()
    if match.size <= LEAST:
        raise NothingShared
    for lines, start in ((olds, match.a), (news, match.b)):
        lines.insert(start + match.size // 2, f"{MARK}\n")
    return "".join(olds), "".join(news)


def edit(project: Path, fresh: Path, path: str) -> bytes:
    """Edit a file far from what the update changes, and return what it should be afterwards."""
    mine, expected = insert_far_from_changes(
        (project / path).read_text(encoding="utf-8"), (fresh / path).read_text(encoding="utf-8")
    )
    (project / path).write_text(mine, encoding="utf-8")
    return expected.encode()


def kept(project: Path) -> list[str]:
    """The paths of those files of the owner's that a project has."""
    return [f"src/{PACKAGE}/{name}" for name in OWN if (project / "src" / PACKAGE / name).exists()]


@both
def test_an_untouched_project_becomes_the_fresh_render(
    projects: Projects, tmp_path: Path, variant: str, release: str
) -> None:
    project = projects.copy(variant, release, tmp_path)
    update(project)
    assert files(project) == files(projects.fresh(variant, release))


@both
def test_an_edited_project_keeps_every_edit(projects: Projects, tmp_path: Path, variant: str, release: str) -> None:
    project, fresh = projects.copy(variant, release, tmp_path), projects.fresh(variant, release)
    edited, own = {}, kept(project)
    for path in [*own, "README.md", "noxfile.py"]:
        with suppress(NothingShared):
            edited[path] = edit(project, fresh, path)
    assert {own[-1], "noxfile.py"} <= edited.keys()
    expected = files(fresh) | edited
    (project / "src" / PACKAGE / "own.py").write_text("OWN = True\n")
    (project / "AGENTS.md").unlink()
    commit_all(project, "The owner's work")

    update(project)

    expected[f"src/{PACKAGE}/own.py"] = b"OWN = True\n"
    del expected["AGENTS.md"]
    assert files(project) == expected


def test_what_moved_out_of_the_owners_files_is_a_conflict_and_no_loss(projects: Projects, tmp_path: Path) -> None:
    """From 0.1.0: presets moved from config.py, and how text is read from data.py; what was edited there is shown."""
    release = "v0.1.0"
    if release not in RELEASES:
        pytest.skip("the history is not there")
    project = projects.copy("transformer", release, tmp_path)
    for name, old, new in (
        ("config.py", "learning_rate=4e-3", "learning_rate=3e-3"),
        ("data.py", 'SUFFIXES = (".txt", ', 'SUFFIXES = (".md", ".txt", '),
    ):
        file = project / "src" / PACKAGE / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
    commit_all(project, "My learning rate and my suffix")

    update(project)

    conflicts = git(project, "diff", "--name-only", "--diff-filter=U").splitlines()
    assert conflicts == [f"src/{PACKAGE}/config.py", f"src/{PACKAGE}/data.py"]
    assert "learning_rate=3e-3" in (project / conflicts[0]).read_text(encoding="utf-8")
    assert 'SUFFIXES = (".md"' in (project / conflicts[1]).read_text(encoding="utf-8")


def moved(release: str, paths: set[str], package: str) -> set[str]:
    """The paths of a release, with those that moved since in their new place."""
    places = {old.format(package=package): new.format(package=package) for old, new in MOVED.get(release, {}).items()}
    return {places.get(path, path) for path in paths}


@both
def test_no_path_of_a_release_has_vanished(projects: Projects, variant: str, release: str) -> None:
    before, after = set(files(projects.original(variant, release))), set(files(projects.fresh(variant, release)))
    assert vanished(moved(release, before, PACKAGE), after) == []
    own = {f"src/{PACKAGE}/{name}" for name in ("__init__.py", "__main__.py")}
    assert own | set(kept(projects.original(variant, release))) <= before & after


@pytest.mark.parametrize("release", RELEASES)
def test_no_path_of_a_release_has_vanished_for_any_answers(origin: Path, tmp_path: Path, release: str) -> None:
    """For all answers that pick overlays: what lies in another overlay now must be rendered for the same answers."""
    before, after = (check_out(origin, version, tmp_path / version) for version in (release, NOW))
    asked = questions(before)
    held = [(overlays(template), questions(template)) for template in (before, after)]
    for answers in combinations([name for name in SELECTING["pytorch"] if name in asked], asked):
        rendered = [active_paths(paths, every, answers) for paths, every in held]
        assert len(rendered[0]) > 50
        assert vanished(moved(release, rendered[0], "{{ package }}"), rendered[1]) == [], answers


def check_out(origin: Path, version: str, folder: Path) -> Path:
    """A version of the template, as a folder."""
    git(origin, "worktree", "add", "--quiet", "--detach", str(folder), version)
    return folder


def questions(template: Path) -> dict[str, dict[str, Any]]:
    """Every question of a version, computed answers too."""
    loaded = yaml.safe_load((template / "copier.yml").read_text(encoding="utf-8"))
    return {name: details for name, details in loaded.items() if not name.startswith("_")}


def active_paths(held: Overlays, asked: dict[str, dict[str, Any]], answers: dict[str, Any]) -> set[str]:
    """What a version renders for these answers, by the overlays that they pick."""
    used = switches(asked, {name for names in held for name in names}, answers)
    return {path for names, paths in held.items() if all(used[name] for name in names) for path in paths}


def test_a_later_change_reaches_an_edited_engine(projects: Projects, tmp_path: Path) -> None:
    project, fresh = projects.copy("transformer", NOW, tmp_path), projects.original("transformer", LATER)
    expected = edit(project, fresh, f"src/{PACKAGE}/{ENGINE}")
    commit_all(project, "An edit far from the change")
    update(project, LATER)
    assert (project / "src" / PACKAGE / ENGINE).read_bytes() == expected
    assert LATER_LINE.encode() in expected
    assert (project / "LATER.md").exists()


OWN_ANSWERS = {
    "package": "my_own",
    "tracker": "mlflow",
    "budget_vram": "6",
    "extras": ["container"],
    "email": "a@b.org",
}


def test_answers_to_what_is_not_asked_are_kept(origin: Path, tmp_path: Path) -> None:
    project = tmp_path / NAME
    render(origin, project, OWN_ANSWERS, vcs_ref=NOW)
    commit_all(project, "Rendered")
    copier.run_recopy(project, defaults=True, overwrite=True, quiet=True, unsafe=False, vcs_ref=NOW)
    assert git(project, "status", "--porcelain") == ""
    update(project, LATER)
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert {question: recorded[question] for question in OWN_ANSWERS} == OWN_ANSWERS
    assert recorded["advanced"] is False


def test_switching_an_answer_takes_the_files_of_the_old_choice_away(projects: Projects, tmp_path: Path) -> None:
    project = projects.copy("transformer", NOW, tmp_path)
    update(project, ci="none")
    before, after = files(projects.original("transformer", NOW)), files(project)
    assert {path.split("/")[0] for path in vanished(set(before), set(after))} == {".github"}
    assert {path for path in after if after[path] != before[path]} == {".copier-answers.yml", "README.md"}


def test_switching_to_scale_and_back_exchanges_the_modules(projects: Projects, tmp_path: Path) -> None:
    project = projects.copy("transformer", NOW, tmp_path)
    update(project, extras=["scale"])
    assert files(project) == files(projects.original("transformer-scale", NOW))
    commit_all(project, "Sharded")
    update(project, extras=["evidence"])
    assert files(project) == files(projects.original("transformer", NOW))


# The rendered project's own command


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where nox keeps the environments of the projects, so that one is made for all."""
    return tmp_path_factory.mktemp("environments")


def run_update_session(project: Path, environments: Path, *words: str) -> tuple[bool, str]:
    """Whether `nox -s update` succeeds in a project, and what it prints."""
    options = ["--session=update", "--reuse-venv=yes", f"--envdir={environments}", "--", *words]
    result = subprocess.run(
        [sys.executable, "-m", "nox", *options], cwd=project, capture_output=True, text=True, check=False
    )
    return result.returncode == 0, result.stdout + result.stderr


def test_the_command_updates(projects: Projects, environments: Path, tmp_path: Path) -> None:
    project = projects.copy("transformer", NOW, tmp_path)
    succeeded, output = run_update_session(project, environments)
    assert succeeded, output
    assert files(project) == files(projects.original("transformer", LATER))
    assert "Updated to 999.0.0" in output
    commit_all(project, "Updated")
    succeeded, output = run_update_session(project, environments)
    assert succeeded, output
    assert "999.0.0 is the latest release" in output
    assert git(project, "status", "--porcelain") == ""


def test_the_command_fails_and_names_a_conflict(projects: Projects, environments: Path, tmp_path: Path) -> None:
    project = projects.copy("transformer", NOW, tmp_path)
    engine = project / "src" / PACKAGE / ENGINE
    text = engine.read_text(encoding="utf-8")
    engine.write_text(text.replace('"""', '"""The owner wrote here.\n\n', 1), encoding="utf-8")
    commit_all(project, "An edit of the line that the template changes")
    succeeded, output = run_update_session(project, environments)
    assert not succeeded
    assert f"settle these files by hand: src/{PACKAGE}/{ENGINE} (took" in output


@both
def test_the_command_of_today_updates_from_a_release(
    projects: Projects, environments: Path, tmp_path: Path, variant: str, release: str
) -> None:
    """Where the owner took today's noxfile first: it stops at edits in what moved."""
    project, fresh = projects.copy(variant, release, tmp_path), projects.fresh(variant, release)
    shutil.copy(NOXFILE, project)
    places = moved(release, set(files(project)), PACKAGE)
    old = sorted(path for path in set(files(project)) - places if path.startswith("src"))[:1]
    for path in old:
        (project / path).write_text(f"{MARK}\n", encoding="utf-8")
    commit_all(project, "Today's noxfile, and an edit")
    if old:
        succeeded, output = run_update_session(project, environments, "--vcs-ref", NOW)
        assert not succeeded and f"`nox -s update -- --force`: {old[0]} (took" in output
        assert git(project, "status", "--porcelain") == ""
    succeeded, output = run_update_session(project, environments, "--vcs-ref", NOW, "--force")
    assert succeeded, output
    assert files(project) == files(fresh)


def dirty(project: Path) -> None:
    (project / "README.md").write_text("mine\n")


def without_git(project: Path) -> None:
    shutil.rmtree(project / ".git")


def without_commit(project: Path) -> None:
    without_git(project)
    git(project, "init", "--quiet")


def ignored_by_a_larger_repository(project: Path) -> None:
    without_git(project)
    (project.parent / ".gitignore").write_text(f"{NAME}/\n")
    commit_all(project.parent, "Beside it")


def without_answers(project: Path) -> None:
    (project / ".copier-answers.yml").unlink()
    commit_all(project, "No answers")


def without_source(project: Path) -> None:
    answers = project / ".copier-answers.yml"
    kept = [line for line in answers.read_text().splitlines() if not line.startswith("_src_path")]
    answers.write_text("\n".join(kept))
    commit_all(project, "No source")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (dirty, "commit or stash them first"),
        (without_git, "run `git init`"),
        (without_commit, "run `git init`"),
        (ignored_by_a_larger_repository, "run `git init`"),
        (without_answers, "_src_path is missing"),
        (without_source, "_src_path is missing"),
    ],
)
def test_the_command_says_what_stands_in_its_way(
    projects: Projects, environments: Path, tmp_path: Path, fault: Any, sentence: str
) -> None:
    project = projects.copy("transformer", NOW, tmp_path)
    fault(project)
    before = files(project)
    succeeded, output = run_update_session(project, environments)
    assert not succeeded
    assert sentence in output
    assert "Traceback" not in output
    assert {path: text for path, text in files(project).items() if "__pycache__" not in path} == before
