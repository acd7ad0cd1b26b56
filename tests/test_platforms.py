"""Windows and macOS: what can be said of them without one of them."""

import subprocess
from pathlib import Path

import pytest
from rendering import ROOT, files, render
from rules import left_to_the_system, unportable


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("platforms") / "some-project"
    render(template, folder, {"extras": ["container"]})
    return folder


@pytest.mark.parametrize("tracker", ["none", "wandb", "mlflow"])
def test_no_encoding_is_left_to_the_system(template: Path, project: Path, tmp_path: Path, tracker: str) -> None:
    assert left_to_the_system(project) == []
    render(template, tmp_path / "other", {"tracker": tracker})
    assert left_to_the_system(tmp_path / "other") == []


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("file.read_text()", "encoding"),
        ("file.write_text('x', encoding='utf-8')", "newline"),
        ("open('x')", "encoding"),
        ("open('x', 'w')", "encoding and newline"),
        ("file.open('a', encoding='utf-8')", "newline"),
        ("file.open(mode='w', newline='')", "encoding"),
        ("subprocess.run(['git'], text=True)", "encoding"),
        ("open('x', 'rb')", ""),
        ("file.open('wb')", ""),
        ("subprocess.run(['git'], encoding='utf-8')", ""),
        ("file.open('w', encoding='utf-8', newline='\\n')", ""),
    ],
)
def test_what_is_left_to_the_system_is_noticed(tmp_path: Path, call: str, what: str) -> None:
    (tmp_path / "noxfile.py").write_text(f"\n{call}\n", encoding="utf-8")
    assert left_to_the_system(tmp_path) == ([f"noxfile.py: line 2: {what}"] if what else [])


def test_every_system_can_hold_every_path(project: Path) -> None:
    assert unportable(files(project)) == []
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    ).stdout
    assert unportable(listed.rstrip("\0").split("\0") if listed else []) == []


@pytest.mark.parametrize(
    "paths", [["a:b"], ["x/nul.txt"], ["x./y"], ["x "], ["a|b"], ["docs/A.md", "docs/a.md"], ['"x"'], ["a\\b"]]
)
def test_a_path_that_some_system_cannot_hold_is_noticed(paths: list[str]) -> None:
    assert unportable(["src/model.py", *paths]) == paths


def test_git_gives_the_same_bytes_everywhere(project: Path) -> None:
    for folder in (ROOT, project):
        assert "* text=auto eol=lf" in (folder / ".gitattributes").read_text(encoding="utf-8").splitlines()
