"""What is asked of the player: households with a goal, made here or read from ALFWorld's own game files.

Training, validation and test differ in what the player has seen before. Floor plans that AgentBench plays in are never
used. Of the others, some are kept for validation and some for test: half of either split is set there, *unseen*. The
other half is set in the floor plans of training, *seen*, and asks for combinations of a kind, an object, a receptacle
and a floor plan that training never asks for. Every task has a layout of its own: no two splits share one.
"""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .engine.alfworld.environment import ROUNDS, Environment, Pool, backend
from .engine.alfworld.households import contents, furnished, written
from .engine.alfworld.tables import (
    ABILITIES,
    APPLIANCES,
    FITS,
    KINDS,
    Verb,
    furniture,
    lamps,
    rooms_for,
    things,
    verb_of,
    wordings,
)
from .engine.alfworld.task import STATEMENT, Task
from .engine.core.config_io import fingerprint
from .engine.core.errors import Problem
from .engine.task import AgentTask
from .expert import expert
from .protocol import PROTOCOLS, TOOLS

BENCHMARK = frozenset({10, 219, 308, 424})
"""The floor plans of ALFWorld's `valid_unseen`, and so of AgentBench: nothing is made in them."""
UNSEEN = {
    "validation": frozenset({1, 2, 3, 201, 202, 203, 301, 302, 303, 401, 402, 403}),
    "test": frozenset({4, 5, 6, 204, 205, 206, 304, 305, 306, 404, 405, 406}),
}
"""The floor plans that a split has to itself: of the package's TEST_SCENE_NUMBERS, half each."""
TENTHS = {"validation": 8, "test": 9}
"""Which tenth of the combinations in other floor plans a split has to itself."""


@dataclass(frozen=True)
class Goal:
    """What a task asks for: an object, and the furniture that it is taken to or the lamp that it is seen under."""

    kind: str
    thing: str
    place: str
    room: int

    @property
    def tenth(self) -> int:
        """Which tenth of all goals it belongs to, by its hash."""
        return int(fingerprint(f"{self.kind} {self.thing} {self.place} {self.room}"), 16) % 10


def generate(count: int, seed: int, split: str, verb: Verb = "put") -> list[Task]:
    """`count` new tasks, the six kinds in turn; each is a function of the seed, the split and its number."""
    return [made(number, seed, split, verb) for number in range(count)]


def made(number: int, seed: int, split: str, verb: Verb) -> Task:
    """One new task."""
    kind, room = KINDS[number % len(KINDS)], "seen"
    if split != "train" and number // len(KINDS) % 2:
        room = "unseen"
    noise = np.random.default_rng([seed, number, *split.encode()])
    options = goals_for(kind, split, room)
    aim = options[noise.integers(len(options))]
    names = {"obj": aim.thing, "recep": aim.place, "toggle": aim.place}
    household = furnished(aim.room, (aim.thing, 2 if kind == "pick_two_obj_and_place" else 1), aim.place, noise)
    problem = written(household, kind, names, start=len(household))
    wording = wordings(kind)[noise.integers(len(wordings(kind)))]
    statement = wording.format(**{name: value.lower() for name, value in names.items()})
    return Task(
        id=f"{split}-{seed}-{number}", kind=kind, statement=f"{statement}.", room=room, verb=verb, problem=problem
    )


@cache
def goals_for(kind: str, split: str, room: str) -> list[Goal]:
    """Everything that a split may ask for, in rooms that training is set in or not."""
    if room == "unseen":
        return [goal for number in sorted(UNSEEN[split]) for goal in possible(kind, number)]
    kept = BENCHMARK.union(*UNSEEN.values())
    common = [goal for number in rooms_for(kind) if number not in kept for goal in possible(kind, number)]
    if split == "train":
        return [goal for goal in common if goal.tenth not in TENTHS.values()]
    return [goal for goal in common if goal.tenth == TENTHS[split]]


def possible(kind: str, room: int) -> list[Goal]:
    """What can be asked for in a floor plan: with an object that can also lie elsewhere when the game begins."""
    if room not in rooms_for(kind):
        return []
    if kind == "look_at_obj_in_light":
        return [Goal(kind, thing, lamp, room) for thing in things(room) for lamp in lamps(room)]
    ability = kind.split("_")[1]
    appliance = APPLIANCES.get(ability, "")
    if appliance and appliance not in furniture(room):
        return []
    able = [thing for thing in things(room) if not appliance or thing in ABILITIES[f"{ability}able"]]
    spots = {thing: [place for place in furniture(room) if thing in FITS[place]] for thing in able}
    return [
        Goal(kind, thing, place, room)
        for thing, places in spots.items()
        for place in places
        if place != appliance and len(places) > 1
    ]


def official(path: Path) -> list[Task]:
    """ALFWorld's own games under a folder, such as `json_2.1.1/valid_unseen` in ALFWORLD_DATA.

    `path` may also be one of AgentBench's lists of games, a JSON file; its games are then looked for in ALFWORLD_DATA.
    A game's grammar is a program to the engine: read only files from where you trust.

    Raises:
        Problem: there is no such folder or game, or one of the games cannot be read.
    """
    files = listed(path) if path.suffix == ".json" else sorted(path.rglob("game.tw-pddl"))
    # These two kinds are in the data too, but the domain has no rules for them.
    playable = [file for file in files if "movable" not in str(file) and "Sliced" not in str(file)]
    tasks = [task for file in playable if (task := read(file))]
    if not tasks:
        raise Problem(
            f"{path} holds no games: name a folder of ALFWorld's data such as $ALFWORLD_DATA/json_2.1.1/valid_unseen "
            "(docs/alfworld.md says where they come from)"
        )
    return tasks


def listed(path: Path) -> list[Path]:
    """The games that AgentBench lists by kind."""
    data = Path(os.environ.get("ALFWORLD_DATA", "."))
    try:
        names = [name for group in json.loads(path.read_text(encoding="utf-8")).values() for name in group]
        files = [data / name for name in names]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise Problem(f"{path} is no list of games: {error}") from None
    for file in files:
        if not file.is_file():
            raise Problem(f"{file} is missing: set ALFWORLD_DATA to the folder that holds json_2.1.1")
    return files


def read(file: Path) -> Task | None:
    """One official game; none where it says that it cannot be won."""
    try:
        content = file.read_text(encoding="utf-8")
        game = json.loads(content)
        folders = file.resolve().parts[-3:-1]
        kind = folders[0].split("-")[0]
        found = STATEMENT.search(game["grammar"])
        if kind not in KINDS or not found or not isinstance(game["pddl_problem"], str):
            raise ValueError("its folder is not named after one of the six kinds, or it lacks its task or its problem")
        task = Task(
            id="/".join(folders),
            kind=kind,
            statement=found[1],
            room=place_of(file),
            verb=verb_of(game["grammar"]),
            problem=game["pddl_problem"],
            file=str(file),
            sha256=fingerprint(content),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(f"{file} is no game of ALFWorld: {error!r}; download it again") from None
    return task if game.get("solvable", True) else None


def place_of(file: Path) -> str:
    """Whether an official game is set where training is; ALFWorld says it by the name of a folder."""
    return "unseen" if "valid_unseen" in file.parts else "seen"


def fingerprints(task: Task) -> frozenset[str]:
    """A hash of what lies where, whatever the goal: equal for two tasks in one layout, also of a benchmark's."""
    return frozenset({fingerprint(json.dumps(contents(task.problem)))})


AGENT_TASK = AgentTask(
    generate=generate,
    official=official,
    fingerprints=fingerprints,
    expert=expert,
    dialogues=PROTOCOLS,
    rounds=ROUNDS,
    tools=TOOLS,
    environment=Environment,
    pool=Pool,
    backend=backend,
)
"""What the engine is given: it makes the trajectories from this, trains on them, and plays."""
