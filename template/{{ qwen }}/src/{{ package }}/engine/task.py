"""The interface that the owner's tasks.py fills in: what is played, how a model speaks, and who shows how."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

Message = dict[str, Any]
"""A message of a conversation, as chat templates take it."""
Tools = list[dict[str, Any]] | None
"""What can be called, as JSON schemas; None where a model answers in plain text."""


class Call(NamedTuple):
    """A move: the tool's name and its arguments."""

    name: str
    arguments: dict[str, str | list[str]]


class Reply(NamedTuple):
    """What follows a move."""

    text: str
    done: bool


class Unreadable(Exception):
    """A message without a move; what it says is what the model is told."""


class Lost(Exception):
    """The environment of one episode failed, which says nothing of the others."""


@runtime_checkable
class Task(Protocol):
    """One task, as far as the engine looks into it; the rest is between its maker, the expert and the environment.

    It is a dataclass: by its `repr`, the engine knows whether a kept episode is of the same task.
    """

    @property
    def id(self) -> str:
        """Its name, which no other task has."""

    @property
    def kind(self) -> str:
        """Success is counted for each kind."""


@runtime_checkable
class Dialogue(Protocol):
    """How moves are written and read in one protocol."""

    system: str
    """The first message."""
    tools: Tools
    forgiving: bool
    """Whether an episode continues after a message that is no move."""

    def read(self, message: Message) -> Call:
        """The move in a model's message.

        Raises:
            Unreadable: there is none.
        """

    def write(self, call: Call, thought: str) -> Message:
        """The message of a move."""

    def observe(self, text: str, call_id: str | None) -> Message:
        """The message that answers it."""


@runtime_checkable
class Environment(Protocol):
    """Where tasks are played one after the other."""

    def __enter__(self) -> "Environment": ...

    def __exit__(self, *exception: object) -> None: ...

    def reset(self, task: Any) -> str:
        """Begin a task; what the player is told first."""

    def act(self, call: Call) -> Reply:
        """Make a move."""

    def success(self) -> bool:
        """Whether the task is done, as the benchmark counts."""


@runtime_checkable
class Pool(Protocol):
    """Environments by number, for many episodes at once. An answer is `Lost` where one of them failed.

    A Problem, such as a server that cannot be reached, is raised: it concerns them all.
    """

    def __enter__(self) -> "Pool": ...

    def __exit__(self, *exception: object) -> None: ...

    def reset(self, tasks: Mapping[int, Any]) -> dict[int, str | Lost]:
        """Begin tasks in some of the environments; what their players are told first."""

    def act(self, calls: Mapping[int, Call]) -> dict[int, Reply | Lost]:
        """Make moves in some of them."""

    def success(self, numbers: Iterable[int]) -> dict[int, bool | Lost]:
        """Whether the tasks of some of them are done."""


@dataclass(frozen=True, kw_only=True)
class AgentTask:
    """All that the engine is given to make trajectories, to play and to evaluate."""

    generate: Callable[[int, int, str], list[Any]]
    """So many tasks, of a seed and a split. The first few are the same whatever their number."""
    official: Callable[[Path], list[Any]]
    """The tasks of a benchmark's own file or folder."""
    fingerprints: Callable[[Any], frozenset[str]]
    """Hashes of a task's parts: two splits that have one in common share that part."""
    expert: Callable[[Any], list[tuple[str, Call]]]
    """Thoughts and moves that win a task."""
    dialogues: Mapping[str, Dialogue]
    """By protocol."""
    rounds: Mapping[str, int]
    """A model's messages in one episode at most, by protocol."""
    tools: list[dict[str, Any]]
    """All moves that there are, whether a protocol calls them or writes them as text."""
    environment: Callable[[], Environment]
    pool: Callable[[int], Pool]
    """So many environments."""
    backend: Callable[[], str] = str
    """What the environments run on, such as a server: what was played on another is not used again."""
