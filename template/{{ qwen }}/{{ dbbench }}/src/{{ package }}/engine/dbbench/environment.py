"""One DB Bench episode after another: what a model sees, and whether it succeeded."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from ..core.errors import Problem
from ..mysql.tables import Failed
from ..task import Call, Lost, Reply
from .database import ROWS, VARIABLE, Database, answered
from .embedded import Embedded
from .scoring import agree, digest
from .task import Task

T = TypeVar("T")

ROUNDS = {"functions": 15, "text": 15}
"""Turns after which an episode has failed, in each protocol."""


class Environment:
    """The database of one task at a time: SQLite, or the server that `url` or `DBBENCH_URL` names."""

    def __init__(self, url: str | None = None) -> None:
        self.database = opened(os.environ.get(VARIABLE, "") if url is None else url)
        self.task: Task | None = None
        self.answers: list[str] | None = None

    def __enter__(self) -> "Environment":
        return self

    def __exit__(self, *exception: object) -> None:
        self.database.close()

    def reset(self, task: Task) -> str:
        """Begin a task, and say what its user asks."""
        self.database.build(task.tables)
        self.task, self.answers = task, None
        return task.statement

    def act(self, call: Call) -> Reply:
        """Make a move. An error of the database is what the model is told, not one of the program."""
        assert self.task is not None, "a move comes after `reset`"
        if call.name == "commit_final_answer":
            self.answers = list(call.arguments["answers"])
            return Reply("", True)
        return Reply(answered(self.database, self.task.tables, str(call.arguments["query"])), False)

    def success(self) -> bool:
        """Whether an answer was committed and, as the benchmark compares, it or the tables are right."""
        if self.task is None or self.answers is None:
            return False
        if not self.task.changes:
            return agree(self.answers, self.task.answers)
        try:
            held = [self.database.rows(table) for table in self.task.tables]
        except Failed:
            return False
        return max(map(len, held)) <= ROWS and digest(held) == self.task.digest


def opened(url: str) -> Database:
    """The database that a URL names, and SQLite where it is empty."""
    if not url:
        return Embedded()
    from .mariadb import Server

    return Server(url)


def backend() -> str:
    """Which database is played on."""
    url = os.environ.get(VARIABLE, "")
    if not url:
        return "SQLite"
    from .mariadb import account

    parts = account(url)
    return f"{parts.get_backend_name()} {parts.host}:{parts.port}/{parts.database}"


class Pool:
    """Environments by number, in this process: a statement takes less time than to send it to another."""

    def __init__(self, size: int) -> None:
        self.environments = [Environment() for _ in range(size)]

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *exception: object) -> None:
        for environment in self.environments:
            environment.database.close()

    def reset(self, tasks: Mapping[int, Task]) -> dict[int, str | Lost]:
        """Begin tasks in some of the environments, and hand out what their players are told first."""
        return {number: kept_apart(self.environments[number].reset, task) for number, task in tasks.items()}

    def act(self, calls: Mapping[int, Call]) -> dict[int, Reply | Lost]:
        """Act in some of the environments."""
        return {number: kept_apart(self.environments[number].act, call) for number, call in calls.items()}

    def success(self, numbers: Iterable[int]) -> dict[int, bool | Lost]:
        """Whether some of the environments' tasks are done as the benchmark counts."""
        return {number: kept_apart(self.environments[number].success) for number in numbers}


def kept_apart(function: Callable[..., T], *arguments: object) -> T | Lost:
    """What a function of one environment gives; where it fails, that environment alone is lost.

    Raises:
        Problem: the database cannot be used, by any of them.
    """
    try:
        return function(*arguments)
    except Problem:
        raise
    except Exception as error:  # whatever a model's statement can bring a database to
        return Lost(f"{type(error).__name__}: {error}")
