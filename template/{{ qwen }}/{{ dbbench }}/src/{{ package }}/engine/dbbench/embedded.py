"""SQLite in memory, made to look like the MySQL of the benchmark where that is cheap, and closed to everything else.

A model's statement can neither open a file nor load code: when it is compiled, an authorizer refuses whatever is not in
`ALLOWED`. It ends after `SECONDS`; values, rows and the whole database have a size that it cannot exceed.
"""

import re
import sqlite3
import time
from collections.abc import Callable, Sequence

from .database import SECONDS, Failed, Table, content, definition, insertion, shown

ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
}
KNOWN = (
    "abs avg ceil ceiling char_length coalesce concat concat_ws count cume_dist date dense_rank exp first_value floor "
    "group_concat hex if ifnull instr lag last_value lead length like ln log lower ltrim max min mod nth_value ntile "
    "nullif percent_rank pow power rank replace round row_number rtrim sign sqrt substr substring sum trim upper"
)
"""Functions that MySQL has too. One that it lacks, `printf`, can take ten seconds in a single step."""
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

_COLUMNS = re.compile(
    r"\s*(?:DESCRIBE|DESC|SHOW\s+COLUMNS\s+(?:FROM|IN))\s+(`(?:[^`]|``)+`|\w+)\s*+(?:;\s*)?", re.IGNORECASE
)


class Embedded:
    """A `Database` that lives in this process. It may go from thread to thread, and serves one at a time."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.deadline = 0.0

    def build(self, tables: Sequence[Table]) -> None:
        """Make these tables in a new database, which costs a third of a millisecond and keeps nothing."""
        self.close()
        self.connection = connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA max_page_count = {PAGES}")
        connection.execute("BEGIN")
        for table in tables:
            connection.execute(definition(table, " COLLATE NOCASE"))
            connection.executemany(insertion(table, "?"), table.rows)
        connection.execute("COMMIT")
        for name, arguments, function in FUNCTIONS:
            connection.create_function(name, arguments, function, deterministic=True)
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
        text = f"SELECT * FROM {asked[1]} LIMIT 0" if asked else statement  # noqa: S608
        cursor = self._execute(text)
        try:
            if asked:
                return shown((column[0], "text", "YES", "", None, "") for column in cursor.description)
            return shown(cursor)
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
        self.deadline = time.monotonic() + SECONDS
        try:
            return self.connection.execute(statement)
        except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> Failed:
        if str(error) == "interrupted":
            return Failed(f"Error: the statement took more than {SECONDS:g} seconds and was stopped")
        return Failed(f"Error: {error}")


def permitted(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """SQLite's authorizer: what a statement may do. `second` is the name of a function."""
    unknown = action == sqlite3.SQLITE_FUNCTION and str(second).lower() not in KNOWN.split()
    catalogue = action == sqlite3.SQLITE_READ and str(first).startswith("sqlite_")
    refused = action not in ALLOWED or unknown or catalogue
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


def concat(*values: object) -> str | None:
    """MySQL's CONCAT: NULL where one of them is."""
    return None if None in values else "".join(map(str, values))


def concat_ws(separator: object, *values: object) -> str | None:
    """MySQL's CONCAT_WS: NULLs are left out."""
    return None if separator is None else str(separator).join(str(value) for value in values if value is not None)


def either(condition: object, yes: str | None, no: str | None) -> str | None:
    """MySQL's IF."""
    return yes if condition not in (None, 0, "", "0") else no


def length(value: object) -> int | None:
    """MySQL's CHAR_LENGTH."""
    return None if value is None else len(str(value))


FUNCTIONS: list[tuple[str, int, Callable[..., str | int | None]]] = [
    ("concat", -1, concat),
    ("concat_ws", -1, concat_ws),
    ("if", 3, either),
    ("char_length", 1, length),
]
"""What MySQL has and SQLite lacks: name, number of arguments, function."""
