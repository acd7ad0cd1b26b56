"""Every variant, under every pair of the answers that hardly interact, renders files that parse, lint and read well."""

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parsing import leftovers, metadata, parse, parse_all
from rendering import VARIANTS, choices, render
from rules import load_toml

LITTLE_INTERACTION: dict[str, list[Any]] = {
    "tracker": choices("tracker"),
    "license": choices("license"),
    "python_version": choices("python_version"),
    "torch_build": choices("torch_build"),
    "ci": choices("ci"),
    "extras": [[], choices("extras")],
    "author": ["", "Ada Lovelace"],
    "email": ["", "ada@example.org"],
    "package": ["a", "z" * 40],  # the longest name makes the longest lines
}


Choice = tuple[str, int]  # a question and the position of an answer to it


def pairwise(offered: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """A few sets of answers in which every pair of answers to two questions occurs."""
    every = [[(question, number) for number in range(len(answers))] for question, answers in offered.items()]
    missing = {pair for some, others in itertools.combinations(every, 2) for pair in itertools.product(some, others)}
    chosen = []
    while missing:
        row = list(min(missing))
        for options in every:
            if options[0][0] not in dict(row):
                row.append(max(options, key=lambda option: len(missing & _pairs([*row, option]))))
        missing -= _pairs(row)
        chosen.append({question: offered[question][number] for question, number in row})
    return chosen


def _pairs(row: list[Choice]) -> set[tuple[Choice, Choice]]:
    order = list(LITTLE_INTERACTION)
    return set(itertools.combinations(sorted(row, key=lambda choice: order.index(choice[0])), 2))


def cases() -> Iterator[Any]:
    """Each pairwise set of answers, with the variants in turn."""
    chosen = pairwise(LITTLE_INTERACTION)
    for number in range(max(len(chosen), len(VARIANTS))):
        variant = list(VARIANTS)[number % len(VARIANTS)]
        yield pytest.param(VARIANTS[variant] | chosen[number % len(chosen)], id=f"{variant}-{number}")


@pytest.fixture(scope="module", params=list(cases()))
def project(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered project."""
    folder = tmp_path_factory.mktemp("render") / "some-project"
    render(template, folder, request.param)
    return folder


def test_the_pairs_are_complete() -> None:
    rows = pairwise(LITTLE_INTERACTION)
    assert len(rows) <= 30
    for (one, ones), (two, twos) in itertools.combinations(LITTLE_INTERACTION.items(), 2):
        seen = {(str(row[one]), str(row[two])) for row in rows}
        assert seen == {(str(a), str(b)) for a, b in itertools.product(ones, twos)}


def test_every_file_parses(project: Path) -> None:
    parsed = parse_all(project)
    assert {"pyproject.toml", "README.md", "LICENSE", "AGENTS.md", "CHANGELOG.md", "noxfile.py"} <= parsed.keys()
    metadata(project)


def test_every_file_reads_as_if_written_by_hand(project: Path) -> None:
    for path in (path for path in project.rglob("*") if path.is_file() and path.suffix != ".png"):
        text = path.read_text(encoding="utf-8")
        assert path.suffix == ".j2" or leftovers(text) == [], path
        assert "\n\n\n\n" not in text, path
        assert [line for line in text.splitlines() if line != line.rstrip()] == [], path
        if path.suffix in {".md", ".toml", ".yml"}:
            prose = re.sub(r"^```.*?^```$", "code", text, flags=re.DOTALL | re.MULTILINE)
            assert not re.search(r"\n\n\n(?! )", prose), path  # two blank lines stand between functions alone


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check", "--diff"]], ids=["check", "format"])
def test_ruff_has_nothing_to_say(project: Path, arguments: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--no-cache", "."],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


def test_links_and_paths_in_the_prose_exist(project: Path) -> None:
    for page in project.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        links = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
        names = re.findall(r"`((?:src|docs|tests|scripts|\.github|\.devcontainer)/[\w./-]*)`", text)
        assert [name for name in links if not (page.parent / name).exists()] == [], page
        assert [name for name in names if not (project / name).exists()] == [], page


def test_the_indexes_of_pytorch_are_pinned_where_chosen(project: Path) -> None:
    build = parse(project / ".copier-answers.yml")["torch_build"]
    uv = load_toml(project / "pyproject.toml")["tool"].get("uv", {})
    indexes = {index["name"]: index for index in uv.get("index", [])}
    used = {source["index"] for source in uv.get("sources", {}).get("torch", [])}
    assert used == indexes.keys() == (set() if build == "pypi" else {f"pytorch-{build}"})
    assert all(index["explicit"] and index["url"].endswith(f"/whl/{build}") for index in indexes.values())


def test_the_tracker_and_nothing_of_the_others_is_there(project: Path) -> None:
    tracker = parse(project / ".copier-answers.yml")["tracker"]
    required = load_toml(project / "pyproject.toml")["project"]["dependencies"]
    trackers = {name for name in choices("tracker") if any(line.startswith(name) for line in required)}
    assert trackers == {tracker} - {"none"}


@pytest.mark.parametrize("word", ["sweep", "optuna", "ablat", "crossval", "learning-curve", "learning_curve"])
def test_an_extra_that_was_not_chosen_leaves_no_trace(plain: Path, word: str) -> None:
    found = [path for path in plain.rglob("*") if path.is_file() and word in path.read_bytes().decode(errors="ignore")]
    assert [path for path in found if path.name != ".copier-answers.yml"] == []


@pytest.fixture(scope="module")
def plain(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project without extras."""
    folder = tmp_path_factory.mktemp("plain") / "project"
    render(template, folder, {"extras": []})
    return folder


def test_the_workflows_run_what_the_project_has(project: Path) -> None:
    answers = parse(project / ".copier-answers.yml")
    workflows = list(project.glob(".github/workflows/*.yml"))
    assert bool(workflows) == (answers["ci"] == "github")
    sessions = {name for path in workflows for name in re.findall(r"nox -s (\w+)", path.read_text(encoding="utf-8"))}
    noxfile = (project / "noxfile.py").read_text(encoding="utf-8")
    assert all(f"def {session}(" in noxfile for session in sessions)
    assert bool(workflows) == (sessions == {"lint", "tests", "update"})


def test_the_licence_is_the_one_that_was_chosen(template: Path, project: Path) -> None:
    answers = parse(project / ".copier-answers.yml")
    text = (project / "LICENSE").read_text(encoding="utf-8")
    whole = (template / "licenses" / f"{answers['license']}.txt").read_text(encoding="utf-8")
    holder = answers["author"] or f"The {answers['project_name']} authors"
    assert text == whole.replace("{{ holder }}", holder)


def test_after_copying_a_message_says_the_next_three_commands(template: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "copier", "copy", "--defaults", str(template), "two words"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    commands = [line.strip() for line in result.stderr.splitlines() if line.startswith("  ")]
    assert commands[-3:] == ["cd 'two words'", "uv run two-words train", 'uv run two-words predict "import "']


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("x.toml", "a = \n", ValueError),
        ("x.yml", "a: [\n", Exception),
        ("x.json", "{\n", ValueError),
        ("x.py", "def\n", SyntaxError),
        ("x.sbatch", "if true\n", ValueError),
        ("x.unknown", "x\n", ValueError),
        ("x.md", "no end of line", ValueError),
    ],
)
def test_a_file_that_does_not_parse_is_noticed(tmp_path: Path, name: str, text: str, error: type[Exception]) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(error):
        parse(tmp_path / name)


def test_leftovers_are_noticed() -> None:
    assert leftovers("a {{ b }} ${{ c }} {% d %} {# e #}") == ["{{ b }}", "{% d %}", "{# e #}"]
