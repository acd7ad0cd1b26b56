"""An expert's way through a household, to learn from: the planner's moves, a player's search, and thoughts.

The planner sees everything and walks straight to an object that no player could know of. A model that imitates it
learns to guess. So the expert first looks into some other places where such an object could be, as one does who does
not know, and says why. It never passes by an object that would do. Each way is played in the engine before it is handed
out.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import fast_downward
import numpy as np

from .engine.alfworld.environment import ROUNDS, Environment
from .engine.alfworld.game import Engine, translated
from .engine.alfworld.households import LYING, STANDING
from .engine.alfworld.tables import APPLIANCES, FITS
from .engine.alfworld.task import Task, game_of
from .engine.core.config_io import fingerprint
from .engine.core.errors import Problem
from .engine.task import Call
from .protocol import take

VAIN = 5
"""Places, at most, that the expert searches in vain."""
CHOICE = 2
"""Receptacles of the wanted sort that the planner may choose from: one is as good as another."""
FACT = re.compile(r"\(([a-z]+)((?: [^()\s]+)+)\)")
DECLARED = re.compile(r"(\S+) - (\w+)")
MOVE = re.compile(r"(go to|take|open|put|move|use|heat|cool|clean) (.+?)(?: (?:from|in/on|to|with) (.+))?")
HOLDS = {spot.lower(): {name.lower() for name in names} for spot, names in FITS.items()}
THOUGHTS = {
    "search": ("The {sort} may be in or on the {place}.", "I go on looking for the {sort}: now the {place}."),
    "return": ("I have seen the {thing} in or on the {place}: I go there.", "The {thing} is at the {place}."),
    "bring": ("Now I take the {thing} to the {place}.", "With the {thing} in my hand I go to the {place}."),
    "open": ("The {thing} is closed, so I open it.", "I cannot see what is in the {thing} before I open it."),
    "take": ("Here is the {thing}. I take it.", "This is what I need: I take the {thing}."),
    "use": ("I have what I was to look at; now I switch the {thing} on.", "Here is the {thing}: I switch it on."),
    "heat": ("I heat the {thing} with the {place}.", "At the {place} I can heat the {thing}."),
    "cool": ("I cool the {thing} with the {place}.", "At the {place} I can cool the {thing}."),
    "clean": ("I clean the {thing} with the {place}.", "At the {place} I can clean the {thing}."),
    "put": ("I lay the {thing} down here, as my task says.", "The {thing} belongs here, so I lay it down."),
}
"""Two wordings of what the expert thinks at each kind of move."""

Household = dict[str, list[str]]
"""Each receptacle and what lies there, by their names in the game."""


class Move(NamedTuple):
    """A command, and what it is about."""

    command: str
    verb: str
    thing: str
    place: str


def expert(task: Task) -> list[tuple[str, Call]]:
    """Thoughts and moves that win a task.

    Raises:
        Problem: the planner finds no way, or its way does not win.
    """
    noise = np.random.default_rng(int(fingerprint(task.problem)[:16], 16))
    moves: list[tuple[str, Call]] = []
    environment = stage()
    environment.reset(task)
    plan = [read(command) for command in planned(task, environment.engine, noise)]
    for reason, move in searching(plan, household_of(task, environment.engine), noise):
        if move.command in environment.engine.commands():  # what is open already cannot be opened
            aim = f"My task: {task.statement} " if not moves else ""
            moves.append((aim + thought(reason, move, noise), take(move.command)))
            environment.act(moves[-1][1])
    if not environment.success():
        way = ", ".join(move.command for move in plan) or "there is none"
        raise Problem(f"the plan for task {task.id} does not win it: {way}")
    return moves


@cache
def stage() -> Environment:
    """Where all ways are played. Each new environment would load another copy of the planner, for good."""
    return Environment()


def read(command: str) -> Move:
    """A command, taken apart."""
    found = MOVE.fullmatch(command)
    if found is None:
        raise ValueError(f"no command of this game: {command}")
    verb, thing, place = found.groups()
    return Move(command, verb, thing, place or "")


def household_of(task: Task, engine: Engine) -> Household:
    """What lies where at the start."""
    start = task.problem.partition("(:goal")[0].lower()
    household: Household = {engine.infos[spot].name: [] for spot in STANDING.findall(start)}
    for thing, spot in LYING.findall(start):
        household[engine.infos[spot].name].append(engine.infos[thing].name)
    return household


def searching(plan: list[Move], household: Household, noise: np.random.Generator) -> Iterator[tuple[str, Move]]:
    """The plan with the search before each object that has not been seen yet, and the reason for each move."""
    left = min(VAIN, (ROUNDS["functions"] - len(plan)) // 2)  # a place that is closed takes two moves
    visited: set[str] = set()
    for number, move in enumerate(plan):
        reason = "put" if move.verb == "move" else move.verb
        if move.verb == "go to":
            sought = sought_at(plan[number + 1 : number + 3])
            reason = "return" if move.thing in visited else "search"
            if sought and reason == "search":
                spots = elsewhere(sought, move.thing, visited, household)
                for spot in noise.permutation(spots)[: noise.integers(left + 1)].tolist():
                    left -= 1
                    visited.add(spot)
                    yield "search", Move(f"go to {spot}", "go to", sought, spot)
                    yield "open", read(f"open {spot}")
            visited.add(move.thing)
            held = next((earlier.thing for earlier in reversed(plan[:number]) if earlier.verb == "take"), "")
            move = Move(move.command, move.verb, sought or held, move.thing)  # noqa: PLW2901
            reason = reason if sought else "bring"
        yield reason, move


def sought_at(following: list[Move]) -> str:
    """What a player goes to a place for, if it is for something that lies there."""
    return next((move.thing for move in following if move.verb in {"take", "use"}), "")


def elsewhere(sought: str, place: str, visited: set[str], household: Household) -> list[str]:
    """Where such a thing could be but is not, and the player has not looked."""
    sort = sought.split()[0]
    fits = [
        spot
        for spot, things in household.items()
        if spot != place and spot not in visited and not any(thing.split()[0] == sort for thing in things)
    ]
    return [spot for spot in fits if sort in HOLDS.get(spot.split()[0], set())]


def thought(reason: str, move: Move, noise: np.random.Generator) -> str:
    """What the expert thinks at a move."""
    wordings = THOUGHTS[reason]
    return wordings[noise.integers(len(wordings))].format(
        thing=move.thing, sort=move.thing.partition(" ")[0], place=move.place
    )


def planned(task: Task, engine: Engine, noise: np.random.Generator) -> list[str]:
    """The planner's commands, for the household that is loaded.

    With everything in a large kitchen the planner takes minutes; with what the goal can be about, milliseconds.
    """
    domain, _, problem = game_of(task)
    _, sas = translated(domain, reduced(problem.lower(), task.kind, noise), optimize=True)
    library = planner()
    if not library.solve_sas(sas, False):
        return []
    steps = (fast_downward.Operator * library.get_last_plan_length())()
    library.get_last_plan(steps)
    return [engine.phrased(name, arguments) for name, *arguments in (step.name.split() for step in steps)]


@cache
def planner() -> Any:
    """Fast Downward, apart from the one that holds the game."""
    return fast_downward.load_lib()


def reduced(problem: str, kind: str, noise: np.random.Generator) -> str:
    """The problem with what can matter to its goal: the objects asked for, where they lie, and where they are taken."""
    head, _, goal = problem.partition("(:goal")
    declared, _, facts = head.partition("(:init")
    kept = set(re.findall(r"objecttype \?\w+ (\w+)", goal) + re.findall(r"receptacletype \?\w+ (\w+)", goal))
    found = [(name, arguments.split()) for name, arguments in FACT.findall(facts)]
    appliance = APPLIANCES.get(kind.split("_")[1], "").lower()
    ends = [things[0] for name, things in found if name == "receptacletype" and things[1] in kept]
    kept |= {ends[place] for place in noise.permutation(len(ends))[:CHOICE]}
    kept |= {things[0] for name, things in found if name == "receptacletype" and things[1] == f"{appliance}type"}
    kept |= {things[0] for name, things in found if name == "objecttype" and things[1] in kept}
    kept |= {things[1] for name, things in found if name == "inreceptacle" and things[0] in kept}
    kept |= {things[1] for name, things in found if name == "receptacleatlocation" and things[0] in kept}
    kept |= {thing for name, things in found if name == "atlocation" for thing in things}
    kept |= {name for name, sort in DECLARED.findall(declared) if sort in {"otype", "rtype"}}
    objects = "\n".join(f"{name} - {sort}" for name, sort in DECLARED.findall(declared) if name in kept)
    left = "\n".join(f"({name} {' '.join(things)})" for name, things in found if kept.issuperset(things))
    return (
        "(define (problem part)\n(:domain alfred)\n"
        f"(:objects\n{objects}\n)\n(:init\n(= (total-cost) 0)\n{left}\n)\n(:goal{goal}"
    )
