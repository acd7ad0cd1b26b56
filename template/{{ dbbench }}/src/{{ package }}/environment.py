"""One DB Bench episode after another: what a model sees, and whether it succeeded."""

import os
from types import TracebackType
from typing import NamedTuple

from .database import ROWS, VARIABLE, Database, Failed, answered
from .embedded import Embedded
from .protocol import Call
from .scoring import agree, digest
from .tasks import Task

ROUNDS = 15
"""Turns after which an episode has failed."""


class Reply(NamedTuple):
    """What follows a move."""

    text: str
    done: bool


class Environment:
    """The database of one task at a time: SQLite, or the server that `url` or `DBBENCH_URL` names."""

    def __init__(self, url: str | None = None) -> None:
        self.database = opened(os.environ.get(VARIABLE, "") if url is None else url)
        self.task: Task | None = None
        self.answers: list[str] | None = None

    def __enter__(self) -> "Environment":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
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
