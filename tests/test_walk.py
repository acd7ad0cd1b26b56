"""The walk from `blank` to a paper, on its page of the site: its code and its commands, on a fresh render."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from rendering import ROOT, render

PAGE = ROOT / "docs" / "variants" / "blank.md"
PROJECT, PACKAGE = "my-digits", "my_digits"


class Block(NamedTuple):
    """A fenced block of the walk: a file, a change of one, or commands."""

    language: str
    path: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks behind the heading of the walk that are code or commands, in their order."""
    walk = page.split("## From blank to a paper\n")[1]
    fence = r"^```(?:\{code-block\} )?(\w+)\n(?::caption: (\S+)\n\n)?(.*?)^```$"
    fenced = re.findall(fence, walk, re.MULTILINE | re.DOTALL)
    return [Block(*block) for block in fenced if block[0] != "text"]


def commands(text: str) -> list[list[str]]:
    """The commands of a block that use the project or test a file of it, as they are typed after `uv run`.

    All tests of a project at once, and its lint, are the business of another session.
    """
    typed = [line.split() for line in re.findall(r"^uv run (.*)$", text, re.MULTILINE)]
    return [words for words in typed if words[0] == PROJECT or (words[0] == "pytest" and len(words) > 1)]


def run(project: Path, words: list[str]) -> str:
    """Run a command of the page in the project, with the preset `smoke` where one trains."""
    program, *arguments = words
    if arguments[:1] == ["train"]:
        arguments.insert(1, "smoke")
    module = PACKAGE if program == PROJECT else program
    environment = os.environ | {"PYTHONPATH": "src", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *arguments]
    result = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def follow(project: Path, walk: list[Block]) -> dict[str, str]:
    """Do what the page says, and return what each command printed."""
    printed: dict[str, str] = {}
    for language, path, text in walk:
        if language == "python":
            (project / path).write_text(text)
        elif language == "diff":
            alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(project.parent)}
            subprocess.run(["git", "apply", "-"], cwd=project, env=alone, input=text, text=True, check=True)
        else:
            printed |= {" ".join(words): run(project, words) for words in commands(text)}
    return printed


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    folder = tmp_path / PROJECT
    render(template, folder, {"architecture": "blank", "tracker": "none"})
    return folder


def test_the_walk_works(project: Path) -> None:
    walk = blocks(PAGE.read_text(encoding="utf-8"))
    assert [block.language for block in walk].count("python") == 2
    printed = follow(project, walk)
    assert "MlpMixer" in (project / "src" / PACKAGE / "task.py").read_text()
    assert "FAILED" not in printed[f"{PROJECT} check"] and "parameter budget" in printed[f"{PROJECT} check"]
    accuracy = re.search(r"^accuracy +(\S+)", printed[f"{PROJECT} train --seed 2"], re.MULTILINE)
    assert accuracy and float(accuracy[1]) > 0.8
