"""What the package alfworld knows about households: its rules, its wordings and its floor plans.

All of it comes with the package. Nothing is downloaded.
"""

import json
import re
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from ..core.errors import Problem, require

try:
    from alfworld.gen import constants
    from alfworld.gen.goal_library import gdict as goals
except ImportError as error:
    raise Problem(
        f"ALFWorld cannot be imported ({error}): run `uv sync`, or with pip the two lines of docs/alfworld.md; "
        "its planner is built on this machine and needs g++, make and cmake (Debian: apt install g++ make cmake)"
    ) from None

Verb = Literal["put", "move"]
"""How an object is laid down: `put X in/on Y` in the games of 2023, which AgentBench plays; `move X to Y` since."""
KINDS = (
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
)
FITS: dict[str, frozenset[str]] = {
    receptacle: frozenset(name for name in sorted(held) if not name.endswith("Sliced"))
    for receptacle, held in constants.VAL_RECEPTACLE_OBJECTS.items()
    if receptacle in constants.STATIC_RECEPTACLES
}
"""What can lie in or on which piece of furniture."""
OPENABLE: frozenset[str] = frozenset(constants.OPENABLE_CLASS_SET)
ABILITIES: dict[str, frozenset[str]] = {
    ability.lower(): frozenset(names)
    for ability, names in constants.VAL_ACTION_OBJECTS.items()
    if ability != "Sliceable"  # none of the six kinds cuts anything
}
"""The objects that can be heated, cooled, cleaned and toggled."""
APPLIANCES = {"heat": "Microwave", "cool": "Fridge", "clean": "SinkBasin"}
"""What three kinds of tasks need."""
BURNERS = 4
"""Of a stove; the package does not count them."""
PUT = (
    ("You arrive at {r.name}.", "You arrive at {lend.name}."),
    ("You move the {o.name} to the {r.name}.", "You put the {o.name} in/on the {r.name}."),
    ("move {o} to {r}", "put {o} in/on {r}"),
)
"""The lines of the grammar that changed in November 2024, and as they were before."""
HELP = re.compile(r"\(:action help.*?\n\)\n|action help \{.*?\n\}\n?", re.DOTALL)
"""The action that came with them."""


@cache
def rules(verb: Verb) -> tuple[str, str]:
    """The domain in PDDL and the grammar, in which `UNKNOWN GOAL` stands for the task."""
    folder = files("alfworld") / "data"
    domain, grammar = ((folder / f"alfred.{kind}").read_text(encoding="utf-8") for kind in ("pddl", "twl2"))
    if verb == "put":
        for new, old in PUT:
            require(new in grammar, f"this release of ALFWorld has another grammar: it lacks {new!r}")
            grammar = grammar.replace(new, old)
        domain, grammar = HELP.sub("", domain), HELP.sub("", grammar)
    return domain, grammar


def verb_of(grammar: str) -> Verb:
    """The verb that a game was written with."""
    first, second = get_args(Verb)
    return first if "put {o} in/on {r}" in grammar else second


@cache
def furniture(room: int) -> dict[str, int]:
    """How many of each receptacle a floor plan has."""
    names = plan(room, "objects")
    counts = Counter(place.split("|")[0] for place in plan(room, "openable"))
    counts |= Counter(SinkBasin=counts["Sink"], BathtubBasin=counts["Bathtub"], StoveBurner=BURNERS)
    return {name: max(1, counts[name]) for name in sorted(names) if name in FITS}


@cache
def things(room: int) -> tuple[str, ...]:
    """The objects that a floor plan has and that lie somewhere in it."""
    fits = frozenset[str]().union(*(FITS[name] for name in furniture(room)))
    return tuple(name for name in sorted(plan(room, "objects")) if name in fits)


@cache
def lamps(room: int) -> tuple[str, ...]:
    """The lamps of a floor plan that can be switched on."""
    return tuple(name for name in sorted(plan(room, "objects")) if name in ABILITIES["toggleable"])


def plan(room: int, what: str) -> Any:
    """One of the package's files about a floor plan."""
    file = files("alfworld") / "gen" / "layouts" / f"FloorPlan{room}-{what}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def rooms_for(kind: str) -> list[int]:
    """The floor plans in which a kind of task is set."""
    return [room for name in sorted(constants.GOALS_VALID[kind]) for room in constants.SCENE_TYPE[name]]


def goal(kind: str, names: dict[str, str]) -> str:
    """The goal of a task in PDDL, with `obj` and `recep` or `toggle` filled in."""
    return str(goals[kind]["pddl"]).replace("#", "-").format(**names)


def wordings(kind: str) -> list[str]:
    """How the package words a task of this kind."""
    return list(goals[kind]["templates"])
