"""SQLite in memory, which answers as the MySQL of the benchmark does, and is closed to everything else.

A model's statement is translated: the room `mysql` writes another, and refuses what it cannot. That one can neither
open a file nor load code: when it is compiled, an authorizer refuses whatever is not in `ALLOWED`. It ends after
`SECONDS`; values, rows and the whole database have a size that they cannot exceed.
"""

import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..mysql.aggregates import AGGREGATES
from ..mysql.arithmetic import ARITHMETIC
from ..mysql.comparison import COMPARISONS
from ..mysql.kinds import Refused
from ..mysql.statements import translated
from ..mysql.tables import Failed, Table
from ..mysql.texts import TEXTS
from ..mysql.values import Raw, Unsuitable, Value, decoded, encoded, ordered, python, stored
from .database import SECONDS, content, definition, insertion, shown

ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
}
FUNCTIONS = {**ARITHMETIC, **COMPARISONS, **TEXTS}
NATIVE = {"coalesce", "count", "dense_rank", "like", "rank", "row_number"}
"""Functions of SQLite's own that do as MySQL's. One that is not here, `printf`, can take ten seconds in one step."""
KNOWN = NATIVE | {f"my_{name}" for name in ("stored", *FUNCTIONS, *AGGREGATES)}
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 50_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
"""Bytes of a value, columns of a result, and so on. No single step of a statement can take long, since the clock is
read between two."""
STEPS = 50
"""Instructions of SQLite's virtual machine between two looks at the clock."""
PAGES = 4096
"""Of 4 KiB: the size of the database."""

_CALLS = re.compile(r"\bmy_(\w+)\(")
_COLUMNS = re.compile(
    r"\s*(?:DESCRIBE|DESC|SHOW\s+COLUMNS\s+(?:FROM|IN))\s+(`(?:[^`]|``)+`|\w+)\s*+(?:;\s*)?", re.IGNORECASE
)


class Embedded:
    """A `Database` that lives in this process. It may go from thread to thread, and serves one at a time."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.tables: Sequence[Table] = ()
        self.registered: set[str] = set()
        self.deadline = 0.0
        self.reason = ""
        """Why a function has ended a statement, which SQLite does not tell."""

    def build(self, tables: Sequence[Table]) -> None:
        """Make these tables in a new database, which takes a fraction of a millisecond and keeps nothing."""
        self.close()
        self.tables = tables
        self.connection = connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA max_page_count = {PAGES}")
        connection.create_collation("my", ordered)
        connection.execute("BEGIN")
        for table in tables:
            connection.execute(definition(table, " COLLATE my"))
            connection.executemany(insertion(table, "?"), table.rows)
        connection.execute("COMMIT")
        connection.create_function("my_stored", 1, stored, deterministic=True)
        self.registered.clear()
        for limit, value in LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(permitted)
        connection.set_progress_handler(self.late, STEPS)

    def run(self, statement: str) -> str:
        """Execute one statement of a model, and say what it gave.

        Raises:
            Failed: SQLite refuses it, or it takes too long.
        """
        asked = _COLUMNS.fullmatch(statement)
        try:
            text = f"SELECT * FROM {asked[1]} LIMIT 0" if asked else translated(statement, self.tables)  # noqa: S608
        except Refused as refused:
            raise Failed(f"Error: SQLite, which stands in for MySQL here, does not know {refused}") from None
        cursor = self._execute(text)
        try:
            if asked:
                return shown((column[0], "text", "YES", "", None, "") for column in cursor.description)
            return shown(tuple(map(python, row)) for row in cursor)
        except sqlite3.Error as error:
            raise self._failed(error) from None
        finally:
            cursor.close()

    def rows(self, table: Table) -> list[tuple[object, ...]]:
        """What the table holds now.

        Raises:
            Failed: the table or one of its columns is gone, or it holds what cannot be read.
        """
        try:
            return self._execute(content(table)).fetchall()
        except sqlite3.Error as error:  # such as a text that is no UTF-8, which a statement can make
            raise self._failed(error) from None

    def late(self) -> bool:
        """Whether a statement has had its time."""
        return time.monotonic() > self.deadline

    def close(self) -> None:
        """Forget the tables."""
        if self.connection:
            self.connection.close()
            self.connection = None

    def _execute(self, statement: str) -> sqlite3.Cursor:
        assert self.connection is not None, "a statement comes after `build`"
        self.register(set(_CALLS.findall(statement)) - self.registered)
        self.deadline, self.reason = time.monotonic() + SECONDS, ""
        try:
            return self.connection.execute(statement)
        except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> Failed:
        if str(error) == "interrupted":
            return Failed(f"Error: the statement took more than {SECONDS:g} seconds and was stopped")
        return Failed(f"Error: {self.reason or error}")

    def register(self, names: set[str]) -> None:
        """Tell SQLite of functions. To tell it of all takes longer than to make the tables."""
        assert self.connection is not None, "a statement comes after `build`"
        for name in names:
            if name in FUNCTIONS:
                call = partial(self.call, FUNCTIONS[name])
                self.connection.create_function(f"my_{name}", -1, call, deterministic=True)
            elif name in AGGREGATES:
                self.connection.create_window_function(f"my_{name}", -1, partial(Group, AGGREGATES[name], self))
        self.registered |= names

    def call(self, function: Callable[..., Value], *values: Raw) -> Raw:
        """What a function makes of values of SQLite's."""
        try:
            return encoded(function(*map(decoded, values)))
        except Unsuitable as error:
            self.reason = str(error)
            raise


class Group:
    """An aggregate as SQLite calls it for each group."""

    def __init__(self, aggregate: Callable[[], Any], owner: Embedded) -> None:
        self.inner, self.owner = aggregate(), owner

    def step(self, *values: Raw) -> None:
        try:
            self.inner.step(*values)
        except Unsuitable as error:
            self.owner.reason = str(error)
            raise

    def value(self) -> Raw:
        return self.finalize()

    def finalize(self) -> Raw:
        found: Raw = self.inner.finalize()
        return found

    def inverse(self, *values: Raw) -> None:
        """Never called, since no window of a statement leaves rows behind."""


def permitted(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """SQLite's authorizer: what a statement may do. `second` is the name of a function."""
    unknown = action == sqlite3.SQLITE_FUNCTION and str(second).lower() not in KNOWN
    catalogue = action == sqlite3.SQLITE_READ and str(first).startswith("sqlite_")
    refused = action not in ALLOWED or unknown or catalogue
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK
