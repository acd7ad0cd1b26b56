"""`new-model NAME`: a second model beside the first.

What it writes are copies of `skeleton.py`, the smallest model of this task, and of its tests.
"""

import keyword
import re
from pathlib import Path

from .errors import Problem
from .splits import write_atomically

PACKAGE = Path(__file__).parent
PROJECT = PACKAGE.parent.parent


def new_model(name: str, project: Path = PROJECT) -> list[Path]:
    """Write the module and the tests of a model called `name`, and return their paths.

    Raises:
        Problem: the name cannot be a module's, one of the files exists, or the project's tests are not there.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name):
        raise Problem(f"{name} cannot be a model's name: take lower-case letters, digits and hyphens, such as my-net")
    module = name.replace("-", "_")
    if keyword.iskeyword(module):
        raise Problem(f"{name} is a word of Python's own: take another, such as my-{name}")
    tests = project / "tests"
    if not (tests / "test_skeleton.py").is_file():
        raise Problem(
            f"{project} holds no tests/test_skeleton.py: run this in the project's own folder, installed with -e"
        )
    sources = {
        PACKAGE / "skeleton.py": project / "src" / PACKAGE.name / f"{module}.py",
        tests / "test_skeleton.py": tests / f"test_{module}.py",
    }
    for target in sources.values():
        # A folder of that name would be imported in the module's place.
        for taken in (target, target.with_suffix("")):
            if taken.exists():
                raise Problem(f"{taken} exists: take another name, or delete it first")
    for source, target in sources.items():
        write_atomically(target, renamed(source.read_text(encoding="utf-8"), module))
    return list(sources.values())


def renamed(text: str, module: str) -> str:
    """The skeleton's text with another name: `skeleton` as a module's, `Skeleton` as the class's."""
    text = text.replace("Skeleton", camel_case(module)).replace("skeleton", module)
    lines = text.splitlines(keepends=True)
    # The new name may belong elsewhere among the imports.
    places = [place for place, line in enumerate(lines) if line.startswith(f"from {PACKAGE.name}")]
    for place, line in zip(places, sorted(lines[place] for place in places), strict=True):
        lines[place] = line
    return "".join(lines)


def camel_case(module: str) -> str:
    """The name of a module's class."""
    return "".join(word.capitalize() for word in module.split("_"))
