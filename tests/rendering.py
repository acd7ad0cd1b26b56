"""What the tests share: where the template lies, its matrix, and how it is rendered."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

import copier
import yaml
from jinja2 import Environment

ROOT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VARIANTS: dict[str, dict[str, str]] = PYPROJECT["tool"]["seedbed"]["variants"]
QUESTIONS: dict[str, dict[str, Any]] = {
    name: details
    for name, details in yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8")).items()
    if not name.startswith("_")
}
ASKED = {name: details for name, details in QUESTIONS.items() if details.get("when", True)}
COMPUTED = {name: details for name, details in QUESTIONS.items() if not details.get("when", True)}


_compile = Environment.compile
_compiled: dict[tuple[Any, ...], Any] = {}


def compile_once(self: Environment, source: Any, *arguments: Any, **options: Any) -> Any:
    """Keep what is compiled: for each file, Copier compiles every part of its path anew, half of a render's time."""
    if arguments or options or not isinstance(source, str):
        return _compile(self, source, *arguments, **options)
    key = (type(self), self.autoescape, *sorted(self.extensions), source)
    if key not in _compiled:
        _compiled[key] = _compile(self, source)
    return _compiled[key]


Environment.compile = compile_once  # type: ignore[method-assign]


def copy_template(folder: Path, pattern: str = "*") -> Path:
    """Copy the working tree's template to a folder that git does not know, where Copier renders it without cloning.

    Args:
        folder: a folder that does not exist yet.
        pattern: the names of the files to render; the others are left out.
    """
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", folder)
    for name in ("licenses", "readme"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copytree(ROOT / "template", folder / "template", ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    for path in (folder / "template").rglob("*"):
        if path.is_file() and not path.match(pattern):
            path.unlink()
    return folder


def render(template: Path, project: Path, answers: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Render a project as `copier copy --defaults` does, without trust, and return every answer, computed ones too."""
    worker = copier.run_copy(
        str(template), project, answers, defaults=True, quiet=True, unsafe=False, settings=copier.Settings(), **options
    )
    return dict(worker.answers.combined)


def applies(question: str, answers: dict[str, Any]) -> bool:
    """Whether a question is asked at all, and its answer recorded, where these are the answers to all."""
    condition = str(ASKED[question].get("when", True))
    return Environment(autoescape=True).from_string(condition).render(answers) == "True"


def files(project: Path) -> dict[str, bytes]:
    """Every file of a project outside of .git, by its path, but for what Python compiles."""
    paths = (path for path in sorted(project.rglob("*")) if path.is_file())
    found = {path.relative_to(project).as_posix(): path for path in paths}
    others = (".git/", "__pycache__/")
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(others)}


def choices(question: str, asked: dict[str, dict[str, Any]] = ASKED) -> list[str]:
    """What may be answered to a question that offers choices."""
    offered = asked[question]["choices"]
    values = list(offered.values()) if isinstance(offered, dict) else list(offered)
    return [value["value"] if isinstance(value, dict) else value for value in values]
