"""A small template with two releases, a project of the first that its owner worked on, and the people who update it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from releases import commit_all, git
from rendering import ROOT, files, render

NOXFILE = ROOT / "template" / "{{ every }}" / "noxfile.py"
NAME = "some-project"
RULES = "src/some/engine/rules.py"
OLD = "src/some/engine/old.py"
LINES = [f"line {number}\n" for number in range(1, 31)]
TEMPLATES = "new in the template\n"
OWN = "the owner's own line   \n"  # with white space at its end, which git can be told to refuse


def edited(line: int, text: str, lines: list[str] = LINES) -> str:
    """The lines, of which one is another."""
    return "".join([*lines[: line - 1], text, *lines[line:]])


FIRST = {
    "{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers | to_nice_yaml }}",
    "noxfile.py": NOXFILE.read_text(encoding="utf-8"),
    "pyproject.toml": '[dependency-groups]\ndev = ["ruff"]\n',
    ".gitignore": ".nox/\n__pycache__/\nruns/\n",
    "{% if tidy %}Dockerfile{% endif %}": "".join(LINES),
    **dict.fromkeys(["AGENTS.md", "README.md", "same.md", "größe.md", "src/some/model.py", RULES, OLD], "".join(LINES)),
}
SECOND = FIRST | {
    **dict.fromkeys(["AGENTS.md", "README.md", "größe.md", "src/some/model.py"], edited(2, TEMPLATES)),
    RULES: edited(15, TEMPLATES),
    "src/some/new.py": TEMPLATES,
    "both.md": TEMPLATES,
    "src/some/engine/place/old.py": "".join(LINES),
}
del SECOND[OLD]
MERGING = {**dict.fromkeys(["README.md", "same.md", "größe.md", "src/some/model.py"], edited(20, OWN)), "own.py": OWN}
CONFLICTING = {RULES: edited(15, OWN), "both.md": OWN}
MERGED = {
    **MERGING,
    **dict.fromkeys(
        ["README.md", "größe.md", "src/some/model.py"], edited(20, OWN, edited(2, TEMPLATES).splitlines(True))
    ),
    "src/some/new.py": TEMPLATES,
    "src/some/engine/place/old.py": "".join(LINES),
}


@dataclass(frozen=True)
class Person:
    """How somebody has set up git, with `{home}` for a folder of theirs, and where the project lies."""

    settings: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    place: str = "alone"


HIDDEN = {".git", ".idea", "__pycache__"}
HOOKS = (
    "applypatch-msg", "commit-msg", "post-checkout", "post-commit", "post-index-change", "pre-commit",
    "prepare-commit-msg", "reference-transaction",
)  # fmt: skip
HOME = {
    "ignored": "*.rej\n*.md\n*.toml\nsrc/some/new.py\n.idea/\n",
    "attributes": "*.md -diff\n*.py binary\nDockerfile text eol=crlf\n",
    **{f"{folder}/{hook}": "#!/bin/sh\nexit 1\n" for folder in ("hooks", "skeleton/hooks") for hook in HOOKS},
}
PEOPLE = {
    "plain": Person(),
    "untracked files shown in full": Person({"status.showUntrackedFiles": "all"}),
    "untracked files not shown": Person({"status.showUntrackedFiles": "no"}),
    "colours": Person({f"color.{of}": "always" for of in ("ui", "status", "diff", "grep", "branch")}),
    "ignored": Person({"core.excludesFile": "{home}/ignored"}),
    "attributes": Person({"core.attributesFile": "{home}/attributes"}),
    "hooks": Person({"core.hooksPath": "{home}/hooks"}),
    "hooks of new repositories": Person({"init.templateDir": "{home}/skeleton"}),
    "white space is removed": Person({"apply.whitespace": "fix", "apply.ignoreWhitespace": "change"}),
    "white space is an error": Person({"apply.whitespace": "error-all", "core.whitespace": "trailing-space"}),
    "lines end as on Linux": Person({"core.autocrlf": "input", "core.safecrlf": "true"}),
    "as on Windows": Person({"core.autocrlf": "true", "core.safecrlf": "true", "core.eol": "crlf"}),
    "signed": Person({"commit.gpgSign": "true", "tag.gpgSign": "true", "gpg.program": "false"}),
    "nobody": Person({"user.useConfigOnly": "true"}),
    "three sides of a conflict": Person({"merge.conflictStyle": "diff3"}),
    "names as they are": Person({"core.quotePath": "false"}),
    "differences": Person(
        {"diff.noprefix": "true", "diff.renames": "copies", "diff.external": "false", "diff.suppressBlankEmpty": "true",
         "diff.algorithm": "patience", "diff.context": "0"}
    ),
    "large files": Person({"core.bigFileThreshold": "1", "feature.manyFiles": "true", "core.untrackedCache": "true"}),
    "hashes": Person(environment={"GIT_DEFAULT_HASH": "sha256"}),
    "submodules": Person({"submodule.recurse": "true", "status.submoduleSummary": "true"}),
    "names of remotes": Person({"clone.defaultRemoteName": "theirs", "safe.bareRepository": "explicit"}),
    "pager and editor": Person({"core.pager": "false", "core.editor": "false", "pager.status": "true"}),
    "configured by the environment": Person(
        environment={
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": "{home}/hooks",
        }
    ),
    "started by another git": Person(environment={"GIT_DIR": "{home}/other/.git", "GIT_INDEX_FILE": "{home}/index"}),
    "in a worktree": Person(place="worktree"),
    "in a submodule": Person(place="submodule"),
    "in a folder of a larger repository": Person(place="folder"),
}  # fmt: skip
AT_ONCE = {
    f"all of it, {place}": Person(
        {key: value for person in PEOPLE.values() for key, value in person.settings.items()},
        {name: value for person in PEOPLE.values() for name, value in person.environment.items()},
        place,
    )
    for place in ("alone", "in a folder")
}


def write(folder: Path, contents: dict[str, str]) -> None:
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8", newline="")


def small_template(folder: Path) -> Path:
    """A template with the rendered project's noxfile and few files beside it."""
    write(folder, {"copier.yml": "_subdirectory: template\ntidy: {type: bool, default: true}\n"})
    for tag, contents in (("v1.0.0", FIRST), ("v2.0.0", SECOND)):
        shutil.rmtree(folder / "template", ignore_errors=True)
        write(folder / "template", contents)
        commit_all(folder, tag)
        git(folder, "tag", tag)
    return folder


def worked_on(template: Path, project: Path, *work: dict[str, str]) -> Path:
    """A project of the first release with its owner's work, from which the guide for agents is gone."""
    render(template, project, vcs_ref="v1.0.0")
    commit_all(project, "Rendered")
    for contents in work:
        write(project, contents)
    (project / "AGENTS.md").unlink()
    commit_all(project, "The owner's work")
    return project


class Desk:
    """Where a person works: their settings, and the project as it lies there."""

    def __init__(self, person: Person, original: Path, home: Path) -> None:
        self.home = home
        self.settings = home / "settings"
        write(home, HOME | {"settings": ""})
        for hook in home.glob("**/hooks/*"):
            hook.chmod(0o755)
        for key, value in person.settings.items():
            git(home, "config", "--file", str(self.settings), key, value.format(home=home.as_posix()))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        further = {name: value.format(home=home.as_posix()) for name, value in person.environment.items()}
        own = {"GIT_CONFIG_GLOBAL": str(self.settings), "GIT_CONFIG_NOSYSTEM": "1"}
        self.environment = inherited | own | further
        write(home / "other", {"file": "another repository\n"})
        commit_all(home / "other", "Another repository")
        self.project = self._check_out(original, person.place)
        if "core.excludesFile" in person.settings:
            write(self.project, {".idea/workspace.xml": OWN})

    def _check_out(self, original: Path, place: str) -> Path:
        theirs = ("-c", f"include.path={self.settings}", "-c", f"core.hooksPath={os.devnull}")
        if place == "alone":
            git(self.home, *theirs, "clone", "--quiet", str(original), NAME)
            return self.home / NAME
        if place == "worktree":
            git(self.home, "clone", "--quiet", "--bare", str(original), "bare.git")
            git(
                self.home / "bare.git", *theirs, "worktree", "add", "--quiet", "--detach", str(self.home / NAME), "HEAD"
            )
            return self.home / NAME
        outer = self.home / "outer"
        write(outer, {"beside.md": OWN, ".gitattributes": "*.txt binary\n"})
        commit_all(outer, "A larger repository")
        if place == "submodule":
            git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(original), NAME)
        else:
            shutil.copytree(original, outer / NAME, ignore=shutil.ignore_patterns(".git"))
        commit_all(outer, "With the project")
        return outer / NAME

    def update(self, environments: Path, *options: str) -> tuple[bool, str]:
        """Whether `nox -s update` succeeds for this person, and what it prints."""
        command = [sys.executable, "-m", "nox", "--session=update", "--reuse-venv=yes", f"--envdir={environments}"]
        words = [*command, "--", *options] if options else command
        result = subprocess.run(
            words, cwd=self.project, env=self.environment, capture_output=True, encoding="utf-8", check=False
        )
        return result.returncode == 0, result.stdout + result.stderr

    def contents(self) -> dict[str, str]:
        """What the project's files hold, with their lines ending as on Linux."""
        shown = {path: text for path, text in files(self.project).items() if Path(path).parts[0] not in HIDDEN}
        return {path: text.decode().replace("\r\n", "\n") for path, text in shown.items()}

    def git(self, *arguments: str) -> str:
        """What git prints for somebody who has set nothing."""
        return git(self.project, "-c", f"core.hooksPath={os.devnull}", "-c", "core.autocrlf=false", *arguments)

    def commit_all(self, message: str) -> None:
        commit_all(self.project, message)
