"""One task of ALFWorld, and the game that its engine loads."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import Problem
from .tables import Verb, rules

STATEMENT = re.compile(r"Your task is to: ([^\"\\]+)")
"""Where a game's grammar says what is to be done."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A game. All but the statement is hidden from the player, who finds out by looking."""

    id: str
    kind: str
    """One of the six in `KINDS` of tables.py."""
    statement: str
    """What is to be done, in a sentence."""
    room: str
    """`seen` where training is set in the same floor plan, else `unseen`."""
    verb: Verb
    problem: str
    """The household and the goal, in PDDL."""
    file: str = ""
    """The official game file whose rules and grammar hold; those of the package where there is none."""
    sha256: str = ""
    """Of that file."""


def game_of(task: Task) -> tuple[str, str, str]:
    """What the engine needs: the domain, the grammar with `UNKNOWN GOAL` for the task, and the problem."""
    if not task.file:
        return (*rules(task.verb), task.problem)
    try:
        game = json.loads(Path(task.file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(f"the game of {task.id} cannot be read: {error}") from None
    return game["pddl_domain"], STATEMENT.sub("Your task is to: UNKNOWN GOAL.", game["grammar"]), task.problem
