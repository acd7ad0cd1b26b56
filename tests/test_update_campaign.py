"""`nox -s update` under the settings that people give their git, and in the places where they keep a project.

An update loses no line of the owner's, and never succeeds where one is in conflict, whoever runs it. All settings are
tried at once here, and one by one in the campaign: `nox -s updates -- -m campaign`.
"""

import runpy
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from releases import git
from updating import (
    AT_ONCE,
    CONFLICTING,
    FIRST,
    LINES,
    MERGED,
    MERGING,
    NAME,
    NOXFILE,
    OLD,
    OWN,
    PEOPLE,
    RULES,
    TEMPLATES,
    Desk,
    Person,
    edited,
    small_template,
    worked_on,
    write,
)

PLAIN = PEOPLE["plain"]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_template(tmp_path_factory.mktemp("template") / "small")


@pytest.fixture(scope="session")
def merging(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worked_on(template, tmp_path_factory.mktemp("merging") / NAME, MERGING)


@pytest.fixture(scope="session")
def conflicting(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worked_on(template, tmp_path_factory.mktemp("conflicting") / NAME, MERGING, CONFLICTING)


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where nox keeps the environment of the session, so that one is made for all."""
    return tmp_path_factory.mktemp("environments")


def check(desk: Desk, without: frozenset[str] = frozenset()) -> dict[str, str]:
    """What is the same after every update; returns the files that may be in conflict."""
    found = desk.contents()
    assert {path: found.get(path) for path in MERGED} == MERGED
    gone = {"AGENTS.md", OLD, *without}
    assert found.keys() == (FIRST.keys() - TEMPLATED | MERGED.keys() | {"both.md"} | RENDERED) - gone
    assert "_commit: v2.0.0" in found[".copier-answers.yml"]
    assert git(desk.home / "other", "status", "--porcelain") == ""
    return {path: found[path] for path in CONFLICTING}


TEMPLATED = {path for path in FIRST if "{" in path}
RENDERED = {".copier-answers.yml", "Dockerfile"}


def check_conflict(desk: Desk, environments: Path) -> None:
    succeeded, output = desk.update(environments)
    assert not succeeded and "Traceback" not in output, output
    assert f"settle these files by hand: both.md, {RULES} (took" in output
    assert f"You changed these files of the engine: {RULES}\n" in output
    for text in check(desk).values():
        assert OWN in text and TEMPLATES in text
        assert text.count("<<<<<<< before updating\n") == 1 == text.count(">>>>>>> after updating\n")
    assert {path for path, _ in unmerged(desk)} == {"both.md", RULES}
    assert ("both.md", "1") not in unmerged(desk) and (RULES, "1") in unmerged(desk)
    desk.git("checkout", "--quiet", "--theirs", "--", "both.md", RULES)
    assert desk.contents()[RULES] == edited(15, TEMPLATES)
    desk.git("checkout", "--quiet", "--ours", "--", "both.md", RULES)
    assert {path: desk.contents()[path] for path in CONFLICTING} == CONFLICTING


def unmerged(desk: Desk) -> set[tuple[str, str]]:
    """What git holds as unmerged: paths, and of which stage."""
    entries = (line.partition("\t") for line in desk.git("ls-files", "--unmerged").splitlines())
    return {(path, entry.split()[2]) for entry, _, path in entries}


@pytest.mark.parametrize("person", AT_ONCE.values(), ids=AT_ONCE)
def test_a_conflict_is_named_whatever_is_set(
    conflicting: Path, environments: Path, tmp_path: Path, person: Person
) -> None:
    check_conflict(Desk(person, conflicting, tmp_path), environments)


@pytest.mark.campaign
@pytest.mark.parametrize("person", PEOPLE.values(), ids=PEOPLE)
def test_a_conflict_is_named_with_each_setting(
    conflicting: Path, environments: Path, tmp_path: Path, person: Person
) -> None:
    check_conflict(Desk(person, conflicting, tmp_path), environments)


def test_work_in_other_lines_merges_whatever_is_set(merging: Path, environments: Path, tmp_path: Path) -> None:
    desk = Desk(next(iter(AT_ONCE.values())), merging, tmp_path)
    succeeded, output = desk.update(environments)
    assert succeeded, output
    assert check(desk) == {"both.md": TEMPLATES, RULES: edited(15, TEMPLATES)}
    assert unmerged(desk) == set()
    assert "Updated to 2.0.0" in output and "files of the engine" not in output


# What is not merged without a word


def edit(desk: Desk, path: str) -> str:
    """Commit an edit, and return the file's new text."""
    write(desk.project, {path: edited(20, OWN)})
    desk.commit_all("An edit")
    return edited(20, OWN)


def test_an_edit_in_a_file_that_moves_stops_the_update(merging: Path, environments: Path, tmp_path: Path) -> None:
    desk = Desk(PLAIN, merging, tmp_path)
    edit(desk, OLD)
    before = desk.contents()
    succeeded, output = desk.update(environments)
    assert not succeeded and "moves or removes files that you changed" in output
    assert f"`nox -s update -- --force`: {OLD} (took" in output
    assert f"You changed these files of the engine: {OLD}\n" in output
    assert desk.contents() == before
    succeeded, output = desk.update(environments, "--force")
    assert succeeded, output
    assert OLD not in desk.contents() and OWN.strip() in desk.git("show", f"HEAD:{OLD}")


def test_force_deletes_nothing_that_git_does_not_hold(merging: Path, environments: Path, tmp_path: Path) -> None:
    desk = Desk(PLAIN, merging, tmp_path)
    desk.git("rm", "--quiet", "--cached", OLD)
    write(desk.project, {".git/info/exclude": OLD})
    edit(desk, OLD)
    before = desk.contents()
    succeeded, output = desk.update(environments, "--force")
    assert not succeeded and f"`git add --force`, so that none is lost: {OLD} (took" in output
    assert desk.contents() == before


def test_an_answer_takes_an_unedited_file_away_and_stops_at_an_edited_one(
    merging: Path, environments: Path, tmp_path: Path
) -> None:
    desk = Desk(PLAIN, merging, tmp_path)
    kept = edit(desk, "Dockerfile")
    succeeded, output = desk.update(environments, "--data", "tidy=false")
    assert not succeeded and "`nox -s update -- --force`: Dockerfile (took" in output
    assert desk.contents()["Dockerfile"] == kept
    assert desk.update(environments)[0]
    write(desk.project, {"Dockerfile": "".join(LINES)})
    desk.commit_all("Updated, and the Dockerfile as it was")
    succeeded, output = desk.update(environments, "--data", "tidy=false")
    assert succeeded and "Updated to 2.0.0" in output
    assert "Dockerfile" not in desk.contents()
    assert {"tidy: false", "_commit: v2.0.0"} <= set(desk.contents()[".copier-answers.yml"].splitlines())
    check(desk, without=frozenset({"Dockerfile"}))


# The merge alone


class Sides(NamedTuple):
    """A file as the owner has it, as it was rendered and as it is rendered now."""

    mine: bytes | None
    before: bytes | None
    after: bytes | None


def loaded() -> Any:
    """The merge of the noxfile, which reads the project's dependencies as it is loaded."""
    with TemporaryDirectory() as folder, chdir(folder):
        write(Path(), {"pyproject.toml": FIRST["pyproject.toml"]})
        return runpy.run_path(str(NOXFILE))["_merge"]


MERGE = loaded()


def merge(sides: Sides) -> tuple[bytes, bool]:
    """What the owner's file holds after an update, and whether it is in conflict."""
    with TemporaryDirectory() as folder, chdir(folder):
        for name, content in zip(("mine", "before", "after"), sides, strict=True):
            Path(name).mkdir()
            if content is not None:
                Path(name, "file").write_bytes(content)
        with chdir("mine"):
            conflicts = MERGE(Path("../before"), Path("../after"))
        return Path("mine/file").read_bytes(), conflicts == ["file"]


def test_lines_end_as_the_owner_ends_them() -> None:
    before, mine, after = ("".join(text) for text in (LINES, edited(20, OWN), edited(2, TEMPLATES)))
    expected = edited(20, OWN, after.splitlines(keepends=True))
    windows = Sides(mine.replace("\n", "\r\n").encode(), before.encode(), after.encode())
    assert merge(windows) == (expected.replace("\n", "\r\n").encode(), False)
    unedited = windows._replace(mine=before.replace("\n", "\r\n").encode())
    assert merge(unedited) == (after.replace("\n", "\r\n").encode(), False)


def test_what_is_no_text_stays_the_owners_and_is_named() -> None:
    mine = OWN.encode("utf-16")
    assert merge(Sides(mine, b"line 1\n", TEMPLATES.encode())) == (mine, True)
    assert merge(Sides(mine, b"line 1\n", b"line 1\n")) == (mine, False)


def test_an_edit_reaches_the_file_that_a_link_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {"old/AGENTS.md": "".join(LINES), "new/AGENTS.md": edited(2, TEMPLATES), "mine/other.md": edited(20, OWN)},
    )
    monkeypatch.chdir(tmp_path / "mine")
    Path("AGENTS.md").symlink_to("other.md")
    assert MERGE(tmp_path / "old", tmp_path / "new") == []
    assert Path("AGENTS.md").is_symlink()
    assert Path("other.md").read_text(encoding="utf-8") == MERGED["README.md"]


BASE = 8
CHANGES = st.lists(st.sampled_from(["keep", "keep", "keep", "change", "drop", "add"]), min_size=BASE, max_size=BASE)


def changed(whose: str, changes: list[str]) -> tuple[bytes, set[bytes]]:
    """Eight lines with changes made to them, and those lines that are new."""
    lines = []
    for number, change in enumerate(changes):
        lines += [f"line {number}"] if change in {"keep", "add"} else []
        lines += [f"{whose} {number}"] if change in {"change", "add"} else []
    return "".join(f"{line}\n" for line in lines).encode(), {line.encode() for line in lines if whose in line}


def check_lines(mine: list[str], after: list[str], windows: bool, open_end: bool) -> None:
    my_text, my_lines = changed("owner", mine)
    its_text, its_lines = changed("template", after)
    if windows:
        my_text = my_text.replace(b"\n", b"\r\n")
    if open_end:
        my_text = my_text.rstrip(b"\r\n")
    result, conflict = merge(Sides(my_text, changed("", ["keep"] * BASE)[0], its_text))
    lines = result.splitlines()
    assert my_lines | its_lines <= set(lines)
    assert conflict is (b"<<<<<<< before updating" in lines)
    if not conflict:
        dropped = {
            number for side in (mine, after) for number, change in enumerate(side) if change in {"drop", "change"}
        }
        assert {line for line in lines if line.startswith(b"line")} == {
            f"line {number}".encode() for number in range(BASE) if number not in dropped
        }


@given(CHANGES, CHANGES, st.booleans(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_no_line_is_lost(mine: list[str], after: list[str], windows: bool, open_end: bool) -> None:
    check_lines(mine, after, windows, open_end)


@pytest.mark.campaign
@given(CHANGES, CHANGES, st.booleans(), st.booleans())
@settings(deadline=None, max_examples=3000)
def test_no_line_is_lost_in_thousands(mine: list[str], after: list[str], windows: bool, open_end: bool) -> None:
    check_lines(mine, after, windows, open_end)
