"""The template's rules, as functions that list what breaks them. CONTRIBUTING.md gives the reasons."""

import ast
import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, nodes
from jinja2 import Template as JinjaTemplate
from rendering import ASKED, choices

SETTINGS = {"_min_copier_version", "_subdirectory", "_answers_file", "_envops"}
MESSAGES = {"_message_before_copy", "_message_after_copy", "_message_before_update", "_message_after_update"}
JINJA = Environment(autoescape=True, extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"])
TRUSTING_FLAGS = {"--trust", "--UNSAFE"}
Overlays = dict[tuple[str, ...], set[str]]
SWITCH = re.compile(r"\{\{ (\w+) \}\}")
"""The name of an overlay's folder."""
CLOCK_AND_CHANCE = {"strftime", "to_datetime", "now", "rand", "random", "shuffle", "random_mac", "to_uuid", "fileglob"}


def load_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


SELECTING = {
    "pytorch": ("architecture", "tracker", "ci", "extras"),
    "qwen": ("agent_task", "method", "notebooks", "tracker", "ci"),
}
"""The questions that decide which overlays are active, by the family."""


def overlays(template: Path) -> Overlays:
    """The paths that each overlay holds, as they are called once rendered, by the answers that switch it.

    An overlay of a family lies in the family's own, so that it takes both answers: ("pytorch", "cnn").
    """
    return {names: set(_held(folder, folder)) for names, folder in _overlay_folders(template / "template", ())}


def _overlay_folders(folder: Path, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Path]]:
    for path in folder.iterdir():
        if path.is_dir() and (switch := SWITCH.fullmatch(path.name)):
            yield (*names, switch[1]), path
            yield from _overlay_folders(path, (*names, switch[1]))


def _held(folder: Path, overlay: Path) -> Iterator[str]:
    """What lies in an overlay and in none inside it."""
    for path in folder.iterdir():
        if path.is_dir() and (folder != overlay or not SWITCH.fullmatch(path.name)):
            yield from _held(path, overlay)
        elif path.is_file():
            yield path.relative_to(overlay).as_posix().removesuffix(".jinja")


def switches(questions: dict[str, dict[str, Any]], names: set[str], answers: dict[str, Any]) -> dict[str, str]:
    """What the overlays' folders are called where these are the answers that select them.

    As Copier works it out, without the other questions: those have many combinations, and it takes half a second each.
    """
    found: dict[str, str] = {}
    given = {name: details.get("default") for name, details in questions.items() if details.get("when", True)}
    for name in (name for name in questions if name in names):
        found[name] = _compiled(str(questions[name]["default"])).render(given | answers | found)
    return found


@cache
def _compiled(text: str) -> JinjaTemplate:
    return JINJA.from_string(text)


def held_twice(overlays: Overlays, used: dict[str, Any]) -> list[str]:
    """Paths that two of the overlays that these answers pick hold, or that are a file here and a folder there."""
    picked = [paths for names, paths in overlays.items() if all(used[name] for name in names)]
    held = Counter(path for paths in picked for path in paths)
    folders = {parent.as_posix() for path in held for parent in Path(path).parents}
    return [path for path, count in held.items() if count > 1 or path in folders]


def interface(module: Path) -> dict[str, list[str]]:
    """The methods of its classes, with the names of their arguments."""
    classes = [node for node in ast.parse(module.read_text("utf-8")).body if isinstance(node, ast.ClassDef)]
    methods = [(kind.name, node) for kind in classes for node in kind.body if isinstance(node, ast.FunctionDef)]
    return {f"{name}.{node.name}": [argument.arg for argument in node.args.args] for name, node in methods}


def combinations(questions: Sequence[str], asked: dict[str, dict[str, Any]] = ASKED) -> list[dict[str, Any]]:
    """Every combination of the answers to some questions that offer choices."""
    offered = [_answers(question, asked) for question in questions]
    return [dict(zip(questions, answers, strict=True)) for answers in itertools.product(*offered)]


def _answers(question: str, asked: dict[str, dict[str, Any]]) -> list[Any]:
    options = [False, True] if asked[question].get("type") == "bool" else choices(question, asked)
    if not asked[question].get("multiselect"):
        return options
    # Two overlays meet in pairs of extras already, and those for the lack of an extra where there are few.
    return [list(some) for size in (0, 1, 2, len(options)) for some in itertools.combinations(options, size)]


def plain_share(template: Path) -> float:
    """The share of the Python lines under src/ that lie in plain files."""
    lines = {"py": 0, "jinja": 0}
    for path in (template / "template").rglob("*"):
        if "src" in path.parts and path.name.endswith((".py", ".py.jinja")):
            lines[path.suffix[1:]] += len(path.read_text(encoding="utf-8").splitlines())
    return lines["py"] / max(1, sum(lines.values()))


def jinja_in_tests(template: Path) -> list[str]:
    """Lines of test files in which something other than the package's name in an import is rendered."""
    line_of_import = re.compile(r"\s*(from|import) \{\{ package \}\}[\w., ]*( import [\w., (]+)?( as \w+)?$")
    return [
        f"{path.name}: {line}"
        for path in (template / "template").rglob("tests/**/*.py.jinja")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\{[{%#]", line) and not line_of_import.match(line)
    ]


def jinja_sources(template: Path) -> Iterator[tuple[str, str]]:
    """Every text that Copier renders, names of paths included, with where it comes from."""
    for path in (template / "template").rglob("*"):
        yield str(path), path.name
        if path.suffix == ".jinja":
            yield str(path), path.read_text(encoding="utf-8")
    for path in (template / "licenses").iterdir():
        yield str(path), path.read_text(encoding="utf-8")


def compared_with_strings(template: Path) -> list[str]:
    """Places in the templates where an answer is compared with a string."""
    return [
        f"{place}: line {compare.lineno}"
        for place, text in jinja_sources(template)
        for compare in JINJA.parse(text).find_all(nodes.Compare)
        if any(isinstance(part.value, str) for part in compare.find_all(nodes.Const))
    ]


def needs_trust(template: Path) -> list[str]:
    """Settings that make Copier ask for trust or read something else than the answers, and links."""
    settings = {name for name in yaml.safe_load((template / "copier.yml").read_text("utf-8")) if name.startswith("_")}
    links = [str(path) for path in (template / "template").rglob("*") if path.is_symlink()]
    return sorted(settings - SETTINGS - MESSAGES) + links


def trusting_calls(root: Path) -> list[str]:
    """Calls of Copier in the tests and sessions that trust the template or leave open whether they do."""
    found = []
    for path in [root / "noxfile.py", *(root / "tests").glob("*.py")]:
        tree = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        found += [f"{path.name}: line {node.lineno}" for node in tree if isinstance(node, ast.Call) and _trusts(node)]
        words = {str(node.value) for node in tree if isinstance(node, ast.Constant)}
        found += [f"{path.name}: {flag}" for flag in words & TRUSTING_FLAGS if path != Path(__file__)]
    return found


def _trusts(call: ast.Call) -> bool:
    """Whether this renders, and is not told to distrust."""
    if not re.search(r"\brun_(copy|recopy|update)$", ast.unparse(call.func)):
        return False
    return all(keyword.arg != "unsafe" or ast.unparse(keyword.value) != "False" for keyword in call.keywords)


def clocked(template: Path) -> list[str]:
    """Filters and functions in the templates whose result depends on when or where they are rendered."""
    texts = [*jinja_sources(template), ("copier.yml", (template / "copier.yml").read_text(encoding="utf-8"))]
    found = []
    for place, text in texts:
        tree = JINJA.parse(text)
        used = {node.name for node in tree.find_all(nodes.Filter)} | {node.name for node in tree.find_all(nodes.Name)}
        found += [f"{place}: {name}" for name in used & CLOCK_AND_CHANCE]
    return found


def left_to_the_system(project: Path) -> list[str]:
    """Calls in a project's code that leave the encoding of a text, or the ends of its lines, to the system."""
    paths = [project / "noxfile.py", *sorted((project / "src").rglob("*.py"))]
    return [
        f"{path.name}: line {node.lineno}: {what}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (what := _left_open(node))
    ]


def _left_open(call: ast.Call) -> str:
    """Which of the two a call leaves open; "" where it handles bytes or names them."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in ("run", "Popen", "check_output", "check_call"):
        return "encoding" if given.keys() & {"text", "universal_newlines"} and "encoding" not in given else ""
    if name not in ("read_text", "write_text", "open") or ast.unparse(call.func) == "os.open":
        return ""
    mode = _mode(call, given) if name == "open" else {"read_text": "r", "write_text": "w"}[name]
    if "b" in mode:
        return ""
    missing = {"encoding"} | ({"newline"} if set(mode) & set("wax") else set())
    return " and ".join(sorted(missing - given.keys()))


def _mode(call: ast.Call, given: dict[str | None, ast.expr]) -> str:
    """The mode in which `open` opens: its second argument, or the first of a path's method."""
    place = 0 if isinstance(call.func, ast.Attribute) else 1
    mode = given.get("mode", call.args[place] if len(call.args) > place else None)
    return str(mode.value) if isinstance(mode, ast.Constant) else "r"


def unportable(paths: Iterable[str]) -> list[str]:
    """Paths that some system cannot hold: forbidden characters and names, and two that differ in their case alone."""
    reserved = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?\Z")
    paths = list(paths)
    forbidden = [
        path
        for path in paths
        if any(re.search(r'[<>:"\\|?*\x00-\x1f]|[. ]\Z', part) or reserved.match(part) for part in path.split("/"))
    ]
    counts = Counter(path.lower() for path in paths)
    return forbidden + [path for path in paths if counts[path.lower()] > 1]


def vanished(before: set[str], after: set[str]) -> list[str]:
    """Paths that a release has rendered and that are rendered no more: an update deletes what a person wrote there."""
    return sorted(before - after)


def checking_asserts(template: Path) -> list[str]:
    """Statements that check something while the project runs, and are left out under `python -O`.

    An `assert` may tell the type checker what is known: that a value has a type, or is there.
    """
    found = []
    for file in sorted((template / "template").rglob("*.py")):
        if "src" in file.parts:
            tree = ast.parse(file.read_text(encoding="utf-8"))
            checks = [node for node in ast.walk(tree) if isinstance(node, ast.Assert) and not _tells_a_type(node.test)]
            found += [f"{file.name}, line {node.lineno}" for node in checks]
    return found


def _tells_a_type(test: ast.expr) -> bool:
    is_there = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot)
    return is_there or (isinstance(test, ast.Call) and ast.unparse(test.func) == "isinstance")
