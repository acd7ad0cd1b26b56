"""ALFWorld's engine, one game at a time: Fast Downward holds the state, TextWorld's grammar says what is seen.

TextWorld's own `PddlEnv` does the same with much waste: it translates each problem four times where once is enough,
twice of them for a planner that plays no part in a game, and parses the template of each possible action anew at every
step. Here a problem is translated once, a command is filled into its template, and what was parsed is kept. A test
compares the two, sentence by sentence.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any, NamedTuple

from ..core.errors import Problem

try:
    import fast_downward
    from alfworld.agents.utils.misc import Demangler
    from textworld.envs.pddl import textgen
    from textworld.envs.pddl.logic import Atom, GameLogic
    from textworld.generator.game import EntityInfo
    from textworld.logic import GameLogic as World
    from textworld.logic import Placeholder, Proposition, Rule, State, Type, Variable
except (ImportError, OSError) as error:
    raise Problem(
        f"ALFWorld's engine cannot be imported ({error}): run `uv sync`, or with pip the lines of docs/alfworld.md; "
        "its planner is built on this machine and needs g++, make and cmake (Debian: apt install g++ make cmake)"
    ) from None

NOTHING = "Nothing happens."

# The same few expressions are parsed again and again, and nothing changes what comes out.
textgen.Rule = type("Rule", (Rule,), {"parse_conjunctive_query": staticmethod(cache(Rule.parse_conjunctive_query))})


class Operator(NamedTuple):
    """A possible move."""

    number: int
    """As Fast Downward counts."""
    name: str
    arguments: list[str]
    effects: int


@cache
def logic_of(domain: str, grammar: str) -> GameLogic:
    """What is parsed of the rules and the grammar."""
    return GameLogic(domain=domain, grammar=grammar)


@lru_cache(maxsize=32)  # a task is often played several times, by an expert and its check, or by a group of players
def translated(domain: str, problem: str, optimize: bool = False) -> tuple[Any, bytes]:
    """The problem as parsed, and as Fast Downward reads it; `optimize` is for the planner, and prunes what it can.

    Raises:
        Problem: it is no problem of this domain, or nothing leads to its goal.
    """
    arguments = sys.argv
    try:
        task, sas = fast_downward.pddl2sas(domain, problem, optimize=optimize)
    except (Exception, SystemExit) as error:  # a parser that was written for a command line
        raise Problem(f"this is no game of ALFWorld, its PDDL cannot be translated: {error}") from None
    finally:
        sys.argv = arguments  # the translator puts its own there
    if "Atom dummy(val1)" in sas:  # what the translator makes of a goal that nothing leads to
        raise Problem("this game cannot be won: leave it out")
    return task, sas.encode()


def hierarchy(types: Iterable[Any]) -> World:
    """The types of things, for the grammar's queries."""
    world = World()
    for kind in types:
        with suppress(ValueError):  # PDDL knows `object` before it is declared
            world.types.add(Type(kind.name, kind.supertype_names))
    return world


class Engine:
    """The engine, to be loaded with one game after the other."""

    def __init__(self) -> None:
        self.library = fast_downward.load_lib()

    def load(self, domain: str, grammar: str, problem: str) -> None:
        """Begin a game; `grammar` has `UNKNOWN GOAL` for the task, so that all its games share what was parsed."""
        self.logic = logic_of(domain, grammar)
        self.task, sas = translated(domain, problem)
        self.library.load_sas(sas)
        self.types = {thing.name: thing.type_name for thing in self.task.objects}
        self.parameters = {
            action.name: {parameter.name.strip("?"): parameter.type_name for parameter in action.parameters}
            for action in self.task.actions
        }
        self.state = State(hierarchy(self.task.types), self._facts())
        self.infos = named(self.state)
        self._look_up()

    def close(self) -> None:
        """Give the planner's memory back. Its code stays: to unload it, as `close_lib` does, ends in a crash."""
        self.library.cleanup()

    def _facts(self) -> Iterator[Proposition]:
        """What is true at the start: what never changes, from the problem, and what does, from the planner."""
        for atom in self.task.init:
            if hasattr(atom, "predicate") and atom.predicate != "=":
                yield Proposition(atom.predicate, [Variable(name, self.types[name]) for name in atom.args])
        atoms = (Atom * self.library.get_state_size())()
        self.library.get_state(atoms)
        for atom in atoms:
            fact = atom.get_fact(self.types)
            if not fact.is_negation:
                yield fact

    def _look_up(self) -> None:
        """Ask for the possible moves."""
        found = (fast_downward.Operator * self.library.get_applicable_operators_count())()
        self.library.get_applicable_operators(found)
        self.moves: dict[str, Operator] = {}
        for move in found:
            name, *arguments = move.name.split()
            operator = Operator(move.id, name, arguments, move.nb_effect_atoms)
            self.moves.setdefault(self.phrased(name, arguments), operator)

    def phrased(self, name: str, arguments: list[str]) -> str:
        """A move as a command."""
        # The translator appends what was quantified to the parameters, and a move does not name it.
        names = {key: self.infos[value].name for key, value in zip(self.parameters[name], arguments, strict=False)}
        template = "go to {r}" if name == "gotolocation" else self.logic.actions[name].template
        return str(template.format(**names))

    def commands(self) -> list[str]:
        """The possible commands, sorted."""
        return sorted(self.moves)

    def won(self) -> bool:
        """Whether the goal is reached."""
        return bool(self.library.check_goal())

    def look(self) -> str:
        """What is seen at the start."""
        return self.said("#look.feedback#", {})

    def act(self, command: str) -> str:
        """Make a move, and say what comes of it. What is no possible command changes nothing."""
        move = self.moves.get(command)
        if move is None:
            return NOTHING
        effects = (Atom * move.effects)()
        self.library.apply_operator(move.number, effects)
        for effect in effects:
            fact = effect.get_fact(self.types)
            self.state.remove_fact(fact.negate())
            self.state.add_fact(fact)
        mapping = {
            Placeholder(name, kind): Variable(value, kind)
            for (name, kind), value in zip(self.parameters[move.name].items(), move.arguments, strict=False)
        }
        self._look_up()
        return self.said(self.logic.actions[move.name].feedback_rule, mapping)

    def said(self, rule: str, mapping: dict[Any, Any]) -> str:
        """A sentence of the grammar."""
        context = {
            "state": self.state,
            "facts": [],
            "variables": {key.name: self.infos[value.name] for key, value in mapping.items()},
            "mapping": mapping,
            "entity_infos": self.infos,
        }
        return str(self.logic.grammar.derive(rule, context))


def named(state: State) -> dict[str, Any]:
    """Everything in a household, with its name in the game: `cabinet 3`."""
    infos = {variable.name: EntityInfo(variable.name, variable.type) for variable in state.variables}
    names = Demangler(game_infos=infos)
    for info in infos.values():
        info.name, info.definite, info.indefinite = names.demangle_alfred_name(info.id), "the", "a"
    return infos
