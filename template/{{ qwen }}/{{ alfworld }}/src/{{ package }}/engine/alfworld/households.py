"""A household: where everything lies, as PDDL and back.

The names follow ALFWorld's game files, because the engine makes `cabinet 3` of `Cabinet_bar_3`.
"""

import re
from typing import NamedTuple

import numpy as np

from .tables import ABILITIES, FITS, OPENABLE, furniture, goal, lamps, things

MOST = 3
"""Objects of one name; the package's MAX_NUM_OF_OBJ_INSTANCES."""
STANDS = ("Desk", "SideTable", "Dresser", "Shelf", "CoffeeTable", "DiningTable", "CounterTop", "TVStand", "Sofa", "Bed")
"""Where a lamp stands: on the first of these that a room has. The engine knows no lamp on the floor."""
USED_BY_THE_RULES = (
    *("KnifeType - otype", "ButterKnifeType - otype"),
    *("SinkBasinType - rtype", "MicrowaveType - rtype", "FridgeType - rtype"),
)
"""Types that the domain names, and that a household without such a thing has to declare all the same."""
LYING = re.compile(r"\(inReceptacle (\S+) (\S+)\)", re.IGNORECASE)
STANDING = re.compile(r"\(receptacleAtLocation (\S+) \S+\)", re.IGNORECASE)


class Thing(NamedTuple):
    """An object or a receptacle: the second apple is ("Apple", 2)."""

    name: str
    number: int

    @property
    def id(self) -> str:
        """As it is called in PDDL. A basin is a part of its sink there."""
        whole = self.name.removesuffix("Basin")
        part = f"_bar_{self.name}" if whole != self.name else ""
        return f"{whole}_bar_{self.number}{part}"


Household = dict[Thing, list[Thing]]
"""Each receptacle, and what lies there."""


def furnished(room: int, target: tuple[str, int], shunned: str, noise: np.random.Generator) -> Household:
    """A floor plan with objects in random places.

    `target` is an object and how many there have to be, at least; none of them lies in a receptacle called `shunned`.
    """
    household: Household = {
        Thing(name, number + 1): [] for name, count in furniture(room).items() for number in range(count)
    }
    for name in things(room):
        least = target[1] if name == target[0] else 1
        spots = [spot for spot in household if name in FITS[spot.name] and (name, spot.name) != (target[0], shunned)]
        for number in range(int(noise.integers(least, MOST + 1)) if spots else 0):
            household[spots[noise.integers(len(spots))]].append(Thing(name, number + 1))
    for name in lamps(room):
        stand = next(stand for stand in STANDS if stand in furniture(room))
        household[Thing(stand, 1)].append(Thing(name, 1))
    return household


def written(household: Household, kind: str, names: dict[str, str], start: int) -> str:
    """The game's problem in PDDL, for the planner and the engine. `start` is the place where the player stands."""
    places = list(household)
    lying = [thing for held in household.values() for thing in held]
    types = {f"{thing.name}Type - otype" for thing in lying} | {f"{spot.name}Type - rtype" for spot in places}
    objects = [
        "agent1 - agent",
        *sorted(types | set(USED_BY_THE_RULES)),
        *(f"{thing.id} - object" for thing in lying),
        *(f"{spot.id} - receptacle" for spot in places),
        *(f"{location(number)} - location" for number in range(len(places) + 1)),
    ]
    facts = ["(= (total-cost) 0)", f"(atLocation agent1 {location(start)})"]
    for number, (spot, held) in enumerate(household.items()):
        facts += [*facts_of_a_place(spot, number), *(fact for thing in held for fact in facts_of(thing, spot, number))]
    facts += [
        f"(canContain {spot}Type {name}Type)"
        for spot in sorted({spot.name for spot in places})
        for name in sorted({thing.name for thing in lying} & FITS[spot])
    ]
    lines = "\n".join(("(:objects", *objects, ")", "(:init", *facts, ")"))
    return f"(define (problem household)\n(:domain alfred)\n{lines}\n{goal(kind, names)}"


def location(number: int) -> str:
    """The place before a receptacle; the last one, before none, is where a game begins."""
    return f"loc_bar_{number + 1}"


def facts_of_a_place(spot: Thing, number: int) -> list[str]:
    """What is true of a receptacle."""
    facts = [f"(receptacleType {spot.id} {spot.name}Type)", f"(receptacleAtLocation {spot.id} {location(number)})"]
    return [*facts, f"(openable {spot.id})"] if spot.name in OPENABLE else facts


def facts_of(thing: Thing, spot: Thing, number: int) -> list[str]:
    """What is true of an object; a lamp stays where it is."""
    able = [ability for ability, names in ABILITIES.items() if thing.name in names]
    able += [] if "toggleable" in able else ["pickupable"]
    return [
        f"(objectType {thing.id} {thing.name}Type)",
        f"(inReceptacle {thing.id} {spot.id})",
        f"(objectAtLocation {thing.id} {location(number)})",
        *(f"({ability} {thing.id})" for ability in able),
    ]


def contents(problem: str) -> list[tuple[str, tuple[str, ...]]]:
    """Each receptacle's name with the names of what lies there, sorted: equal for two problems of one layout."""
    start = problem.partition("(:goal")[0]
    held: dict[str, list[str]] = {spot: [] for spot in STANDING.findall(start)}
    for thing, spot in LYING.findall(start):
        held[spot].append(plain(thing))
    return sorted((plain(spot), tuple(sorted(things))) for spot, things in held.items())


def plain(identifier: str) -> str:
    """`sinkbasin` of `Sink_bar_1_bar_SinkBasin` and `Sink_bar__minus_01_dot_50_bar_SinkBasin`."""
    parts = identifier.lower().split("_bar_")
    return parts[-1] if "basin" in parts[-1] else parts[0]
