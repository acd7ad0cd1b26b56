"""The page of the questions, made from copier.yml whenever the site is built, so that it cannot drift from it."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import copier
import yaml
from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

COPIER = Path(__file__).parent.parent / "copier.yml"
PAGE, MARK = "questions", "<!-- generated from copier.yml -->"
FOLDER = "my-project"
"""For the defaults that depend on where a project is rendered."""

Question = dict[str, Any]


def asked(file: Path) -> dict[str, Question]:
    """The questions that a person can answer, in the order in which they are asked."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {
        name: question
        for name, question in content.items()
        if not name.startswith("_") and question.get("when", True) is not False
    }


def defaults(file: Path) -> dict[str, Any]:
    """Every answer of a person who takes each default."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder, "template")
        (template / "template").mkdir(parents=True)
        shutil.copy(file, template / "copier.yml")
        project = Path(folder, FOLDER)
        worker = copier.run_copy(str(template), project, defaults=True, pretend=True, quiet=True, unsafe=False)
    return dict(worker.answers.combined)


def page(file: Path) -> str:
    """The questions as Markdown."""
    answers = defaults(file)
    return "\n".join(section(name, question, answers[name]) for name, question in asked(file).items())


def section(name: str, question: Question, default: Any) -> str:
    """One question.

    Raises:
        ExtensionError: it has no help.
    """
    if not question.get("help"):
        raise ExtensionError(f"copier.yml: the question {name} has no help")
    lines = [f"## `{name}`", "", question["help"], ""]
    lines += [f"- `{value}`: {label}" if label else f"- `{value}`" for label, value in choices(question)]
    lines += ["", f":Asked: {when(question)}", f":Default: {by_default(question, default)}"]
    lines += [f":Refused with: {sentence}" for sentence in refusals(question)]
    return "\n".join([*lines, ""])


def choices(question: Question) -> list[tuple[str, str]]:
    """What each choice is called when it is asked, where that is not the answer itself, and the answer."""
    offered = question.get("choices", {})
    named = list(offered.items()) if isinstance(offered, dict) else [("", value) for value in offered]
    return [(label, value["value"] if isinstance(value, dict) else value) for label, value in named]


def when(question: Question) -> str:
    """Who is asked."""
    condition, needed = question.get("ask", True), question.get("when")
    where = f"where `{needed.strip('{ }')}`" if needed else ""
    if isinstance(condition, bool):
        return (where or "always") if condition else "never; `--data` answers it"
    return f"{where}{', ' * bool(where)}after a yes to `{condition.strip('{ }')}`; `--data` answers it anyway"


def by_default(question: Question, value: Any) -> str:
    """The default; one that is worked out is shown for one folder."""
    shown = "nothing" if value in ("", []) else f"`{str(value).lower() if isinstance(value, bool) else value}`"
    worked_out = "{" in str(question.get("default", ""))
    return f"follows from the folder or other answers; in `{FOLDER}`, {shown}" if worked_out else shown


def refusals(question: Question) -> list[str]:
    """What the validator says to wrong answers, with the place of the answer in angle brackets."""
    said = re.split(r"\{%.*?%\}", question.get("validator", ""), flags=re.DOTALL)
    sentences = [" ".join(re.sub(r"\{\{ (.*?) }}", r"<\1>", text).split()) for text in said]
    return [f"`{sentence}`" for sentence in sentences if sentence]


def insert(app: "Sphinx", name: str, source: list[str]) -> None:
    """Put the questions where their page has the mark."""
    if name == PAGE:
        source[0] = source[0].replace(MARK, page(COPIER))


def setup(app: "Sphinx") -> dict[str, bool]:
    """Join Sphinx."""
    app.connect("source-read", insert)
    return {"parallel_read_safe": True}
