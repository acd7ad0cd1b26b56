"""What a task's tables are in SQL, whichever database holds them, and what a model gets to see of a result."""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from ..mysql.tables import Failed, Table, quoted

VARIABLE = "DBBENCH_URL"
"""The environment variable that names MariaDB or MySQL; SQLite is used where it is empty or missing."""
SECONDS = 2.0
"""How long a statement may take."""
STATEMENT = 10_000
"""Characters that a statement may have."""
SHOWN = 800
"""Characters of a result that are shown, as in AgentBench."""
ROWS = 10_000
"""Rows that a table may have when it is compared; the benchmark's have up to a few dozen."""

WORDS = ("SELECT", "WITH", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN")
"""What a statement may begin with. With SET or PREPARE it could undo the limits of its connection."""

# MySQL executes what stands between /*! and */. A comment ends at its first end, so the expression takes nothing back.
_COMMENT = r"/\*(?!M?!)(?>.*?\*/)|(?:--(?=\s)|#)[^\n]*\n"
_HEAD = re.compile(rf"(?:\s|\(|{_COMMENT})*+([A-Za-z]+)", re.DOTALL)
_TABLES = re.compile(r"\s*SHOW\s+TABLES\s*+(?:;\s*)?", re.IGNORECASE)


@runtime_checkable
class Database(Protocol):
    """Where the tables of one task lie."""

    def build(self, tables: Sequence[Table]) -> None:
        """Make these tables, and forget all that was there."""

    def run(self, statement: str) -> str:
        """Execute one statement of a model, and say what it gave as `shown` does.

        Raises:
            Failed: the database refuses it, or it takes too long.
        """

    def rows(self, table: Table) -> list[tuple[object, ...]]:
        """What the table holds now, up to `ROWS` + 1 rows.

        Raises:
            Failed: the table or one of its columns is gone.
        """

    def close(self) -> None: ...


def answered(database: Database, tables: Sequence[Table], statement: str) -> str:
    """What a model is told when it sends a statement."""
    if len(statement) > STATEMENT:
        return f"Error: the statement has {len(statement)} characters, and at most {STATEMENT} are read"
    head = _HEAD.match(statement)
    if not head or head[1].upper() not in WORDS:
        return f"Error: a statement begins with one of {', '.join(WORDS)}"
    if _TABLES.fullmatch(statement):
        return shown((table.name,) for table in tables)
    try:
        return database.run(statement)
    except Failed as error:
        return str(error)[:SHOWN]


def shown(rows: Iterable[tuple[object, ...]]) -> str:
    """Rows as Python writes a list of tuples, cut as AgentBench does. No row is asked for that would not be seen."""
    text, parts = 1, []
    for row in rows:
        parts.append(repr(row))
        text += len(parts[-1]) + 2
        if text > SHOWN + 2:
            break
    whole = f"[{', '.join(parts)}]"
    return whole if len(whole) <= SHOWN else f"{whole[:SHOWN]}[TRUNCATED]"


def definition(table: Table, collation: str = "", kind: str = "TABLE") -> str:
    """The statement that makes a table of text."""
    columns = ", ".join(f"{quoted(column)} TEXT{collation}" for column in table.columns)
    return f"CREATE {kind} {quoted(table.name)} ({columns})"


def insertion(table: Table, mark: str) -> str:
    """The statement that fills a row of it, with a mark for each value."""
    return f"INSERT INTO {quoted(table.name)} VALUES ({', '.join([mark] * len(table.columns))})"  # noqa: S608


def content(table: Table) -> str:
    """The statement that reads it as it was made, whatever columns it got since."""
    columns = ", ".join(map(quoted, table.columns))
    return f"SELECT {columns} FROM {quoted(table.name)} LIMIT {ROWS + 1}"  # noqa: S608
