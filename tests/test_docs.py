"""The site: what it is made from, and that nothing broken in it passes."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import questions
import yaml
from rendering import ASKED, ROOT, VARIANTS
from sphinx.errors import ExtensionError

DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `nox -s docs` does."""
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site."""
    target = tmp_path_factory.mktemp("site")
    result = build(DOCS, target)
    assert result.returncode == 0, result.stderr
    return target


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The sources of a site of one page with the same settings."""
    source = tmp_path / "repository" / "docs"
    source.mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", source.parent)
    for name in ("conf.py", "questions.py"):
        shutil.copy(DOCS / name, source)
    (source / "index.md").write_text("# Home\n\n```{toctree}\nquestions\n```\n")
    (source / "questions.md").write_text(f"# Questions\n\n{questions.MARK}\n")
    return source


def test_every_question_is_on_its_page(site: Path) -> None:
    page = (site / "questions.html").read_text(encoding="utf-8")
    assert questions.MARK not in page
    assert [name for name in ASKED if f'id="{name.replace("_", "-")}"' not in page] == []


def test_a_new_question_is_added_to_the_page(small: Path, tmp_path: Path) -> None:
    question = {"colour": {"type": "str", "help": "Which colour?", "choices": {"Deep red": "red"}, "default": "red"}}
    with (small.parent / "copier.yml").open("a") as file:
        file.write(yaml.safe_dump(question))
    result = build(small, tmp_path / "site")
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "site" / "questions.html").read_text(encoding="utf-8")
    assert "Which colour?" in page and "Deep red" in page


def test_a_question_without_help_fails_the_build(small: Path, tmp_path: Path) -> None:
    with (small.parent / "copier.yml").open("a") as file:
        file.write(yaml.safe_dump({"colour": {"type": "str", "default": "red"}}))
    result = build(small, tmp_path / "site")
    assert result.returncode != 0
    assert "the question colour has no help" in result.stderr


def test_each_broken_reference_fails_the_build(small: Path, tmp_path: Path) -> None:
    broken = {
        "[a](nowhere.md)": "'nowhere.md'",
        "[a](questions.md#nowhere)": "'nowhere'",
        "[a](#nothing)": "'nothing'",
        "![a](none.png)": "none.png",
    }
    with (small / "index.md").open("a") as file:
        file.write("\n" + "\n".join(broken) + "\n")
    (small / "lost.md").write_text("# No menu names this page\n")
    result = build(small, tmp_path / "site")
    assert result.returncode != 0
    assert [text for text in (*broken.values(), "lost.md") if text not in result.stderr] == []


def test_who_is_asked_and_what_is_refused() -> None:
    assert questions.when({}) == "always"
    assert questions.when({"ask": False}).startswith("never")
    assert questions.when({"ask": "{{ advanced }}"}).startswith("after a yes to `advanced`")
    validator = "{%- if name in taken -%}\n{{ name }} is taken;\n type another\n{%- elif x -%}\ntype one{% endif %}"
    assert questions.refusals({"validator": validator}) == ["`<name> is taken; type another`", "`type one`"]
    assert questions.refusals({}) == []
    with pytest.raises(ExtensionError, match="the question colour has no help"):
        questions.section("colour", {"default": "red"}, "red")


class Assets(HTMLParser):
    """What a browser loads to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.addresses.append(values.get("src") or "")
        elif tag == "link" and values.get("rel") in ("stylesheet", "preload", "icon"):
            self.addresses.append(values.get("href") or "")


def test_nothing_is_loaded_from_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        assets = Assets()
        assets.feed(page.read_text(encoding="utf-8"))
        assert [address for address in assets.addresses if "//" in address] == [], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


@pytest.mark.parametrize("architecture", sorted({answers.get("architecture", "qwen") for answers in VARIANTS.values()}))
def test_every_architecture_has_a_page(architecture: str) -> None:
    assert (DOCS / "variants" / f"{architecture}.md").is_file()


def test_every_command_has_a_section() -> None:
    readme = (ROOT / "template" / "{{ pytorch }}" / "README.md.jinja").read_text(encoding="utf-8")
    (table,) = re.findall(r"^## Commands$(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    commands = set(re.findall(r"^\| `([a-z-]+)", table, re.MULTILINE))
    assert commands > {"train", "check"}
    sections = re.findall(r"^## `([a-z-]+)", (DOCS / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert commands <= set(sections)


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_its_three_parts(page: Path) -> None:
    parts = re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert parts == ["Context", "Decision", "Consequences"]


def test_pages_name_answers_that_exist() -> None:
    for page in PAGES:
        named = set(re.findall(r"--data (\w+)=", page.read_text(encoding="utf-8")))
        assert named <= ASKED.keys(), page.name


def test_the_site_is_not_rendered() -> None:
    assert not (ROOT / "template" / "docs").exists()
    assert yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["_subdirectory"] == "template"
