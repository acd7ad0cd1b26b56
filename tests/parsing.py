"""Read every file of a rendered project with the parser that its readers use."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from jinja2 import Environment
from markdown_it import MarkdownIt


def _python(text: str) -> ast.Module:
    return ast.parse(text)


def _bash(text: str) -> str:
    result = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    if result.returncode:
        raise ValueError(result.stderr)
    return text


PARSERS: dict[str, Callable[[str], Any]] = {
    ".py": _python,
    ".toml": tomllib.loads,
    ".yml": yaml.safe_load,
    ".yaml": yaml.safe_load,
    ".json": json.loads,
    ".sbatch": _bash,
    ".sh": _bash,
    ".md": MarkdownIt("commonmark").parse,
    ".j2": Environment(autoescape=True).parse,
}
# Files that nothing parses: names, patterns, instructions, prose.
UNPARSED = {"LICENSE", "Dockerfile", ".gitattributes", ".gitignore", ".dockerignore", "py.typed", "report.css"}


def parse(path: Path) -> Any:
    """Parse one file as what its name says it is.

    Raises:
        ValueError: it has a name that no parser is known for, no end of line at its end, or leftovers of a template.
    """
    if path.suffix == ".png":
        content = path.read_bytes()
        if not content.startswith(b"\x89PNG\r\n\x1a\n"):
            raise ValueError(f"{path} is no PNG")
        return content
    text = path.read_text(encoding="utf-8")
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        raise ValueError(f"{path} does not end with one end of line")
    if path.name in UNPARSED:
        return text
    if path.suffix not in PARSERS:
        raise ValueError(f"{path}: there is no parser for it in tests/parsing.py")
    return PARSERS[path.suffix](text)


def parse_all(project: Path) -> dict[str, Any]:
    """Every file of a project, parsed, by its path."""
    paths = (path for path in sorted(project.rglob("*")) if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(project).as_posix(): parse(path) for path in paths}


def metadata(project: Path) -> Any:
    """What the build backend makes of pyproject.toml; it raises where that cannot be built."""
    found = ProjectMetadata(str(project), PluginManager()).core
    found.validate_fields()
    return found


def paragraph(markdown: str) -> str:
    """The text of the first paragraph, as a reader sees it."""
    tokens = MarkdownIt("commonmark").parse(markdown)
    inline = next(tokens[i + 1] for i, token in enumerate(tokens) if token.type == "paragraph_open")
    return "".join(child.content for child in inline.children or [])


def leftovers(text: str) -> list[str]:
    """Marks of a template language in a rendered text; GitHub's own expressions begin with a dollar."""
    return re.findall(r"(?<!\$)\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", text)
