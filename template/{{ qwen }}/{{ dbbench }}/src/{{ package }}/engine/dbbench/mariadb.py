"""MariaDB or MySQL, through an account that can touch nothing but its own scratch database.

On MariaDB the tables are temporary ones: they are made without waiting for the disk, only the connection that made them
sees them, and the account cannot make others. MySQL cannot name a temporary table twice in one statement, so there
they are ordinary ones, and two environments at a time need two databases.

`python -m <package>.engine.dbbench.mariadb` prints the statements that make the account of `DBBENCH_URL`.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, CursorResult
from sqlalchemy.pool import NullPool

from ..core.errors import Problem
from ..mysql.tables import Failed, Table, quoted
from .database import SECONDS, VARIABLE, content, definition, insertion, shown

PACKET = 65_536
"""Bytes of a value or a statement on the server. A row has up to 4096 values, and with MariaDB's 16 MiB a row of two
gigabytes was sent for a minute."""
TOGETHER = 16
"""Rows that are inserted at a time; they have to fit into a packet."""
RAW = {"no_parameters": True}
"""A per cent sign in a statement is one."""
# MariaDB reads what stands behind M!, and passes over what asks for a MySQL from 5.7.8 on.
_TIME = f"/*M! , max_statement_time = {SECONDS} */ /*!50708 , max_execution_time = {1000 * SECONDS:.0f} */"
LIMITED = f"SET @dbbench = 1 {_TIME}"
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES /*!50708 , CREATE, DROP */"
OPTIONS = " ENGINE=MyISAM CHARACTER SET utf8mb4"
"""MyISAM gives the space on the disk back when the table goes."""


class Server:
    """A `Database` on a server.

    A connection is kept from task to task, since making one takes longer than many tasks. It is made anew where a
    statement may have left a variable in it.
    """

    def __init__(self, url: str) -> None:
        self.connection: Connection | None = None
        self.tables: list[str] = []
        self.clean = True
        waits = {"connect_timeout": 5, "read_timeout": 5 * SECONDS, "write_timeout": 5 * SECONDS}
        self.engine = sqlalchemy.create_engine(
            account(url),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"init_command": LIMITED, "charset": "utf8mb4", **waits},
        )

    def build(self, tables: Sequence[Table]) -> None:
        """Make these tables.

        Raises:
            Problem: the server cannot be reached, or refuses the account or a table.
        """
        try:
            connection = self._connected()
            self._clear(connection)
            for table in tables:
                self._make(connection, table)
        except exc.DBAPIError as error:
            raise Problem(f"{self.engine.url}: {error.orig}: see docs/dbbench.md for how to start a server") from None

    @property
    def temporary(self) -> bool:
        """Whether the tables are temporary ones."""
        return bool(getattr(self.engine.dialect, "is_mariadb", False))

    def run(self, statement: str) -> str:
        """Execute one statement of a model, and say what it gave.

        Raises:
            Failed: the server refuses it, or it takes too long.
        """
        self.clean = self.clean and "@" not in statement
        with self._execute(statement, stream_results=True) as result:
            return shown(tuple(row) for row in result) if result.returns_rows else "[]"

    def rows(self, table: Table) -> list[tuple[object, ...]]:
        """What the table holds now.

        Raises:
            Failed: the table or one of its columns is gone.
        """
        with self._execute(content(table)) as result:
            return [tuple(row) for row in result]

    def close(self) -> None:
        """Forget the tables."""
        if self.connection:
            self.connection.close()
        self.connection, self.tables, self.clean = None, [], True

    @contextmanager
    def _execute(self, statement: str, **options: bool) -> Iterator[CursorResult[Any]]:
        assert self.connection is not None, "a statement comes after `build`"
        try:
            with self.connection.exec_driver_sql(statement, (), options | RAW) as result:
                yield result
        except (exc.SQLAlchemyError, UnicodeError) as error:
            arguments = (error.orig or error).args if isinstance(error, exc.DBAPIError) else error.args
            raise Failed("Error: " + ": ".join(map(str, arguments))) from None

    def _connected(self) -> Connection:
        if self.connection and (self.connection.invalidated or not self.clean):
            self.close()
        if self.connection is None:
            self.connection = self.engine.connect()
            packet = self.connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one()
            if packet > PACKET:
                raise Problem(
                    f"{self.engine.url}: with its max_allowed_packet of {packet} a statement could fill the memory: "
                    f"set it to {PACKET}, as docs/dbbench.md says"
                )
        return self.connection

    def _make(self, connection: Connection, table: Table) -> None:
        kind = "TEMPORARY TABLE" if self.temporary else "TABLE"
        connection.exec_driver_sql(definition(table, kind=kind) + OPTIONS, (), RAW)
        self.tables.append(table.name)
        escaped = table._replace(name=table.name.replace("%", "%%"))
        for start in range(0, len(table.rows), TOGETHER):
            connection.exec_driver_sql(insertion(escaped, "%s"), list(table.rows[start : start + TOGETHER]))

    def _clear(self, connection: Connection) -> None:
        """Drop the tables of the task before; where they are ordinary ones, whatever is there."""
        drops = [f"DROP TEMPORARY TABLE IF EXISTS {quoted(name)}" for name in self.tables]
        if not self.temporary:
            drops = [f"DROP TABLE {quoted(name)}" for name in connection.exec_driver_sql("SHOW TABLES").scalars()]
        for drop in drops:
            connection.exec_driver_sql(drop, (), RAW)
        self.tables = []


def account(url: str) -> URL:
    """The parts of a database's URL.

    Raises:
        Problem: it is not one of MariaDB or MySQL, or names no user or no database.
    """
    try:
        parts = sqlalchemy.make_url(url)
    except exc.ArgumentError:
        parts = None
    if parts is None or parts.get_backend_name() not in {"mysql", "mariadb"} or not (parts.username and parts.database):
        raise Problem(f"{VARIABLE}: write mysql+pymysql://USER:PASSWORD@HOST/DATABASE, and nothing for SQLite")
    return parts


def grants(url: str) -> str:
    """What an administrator runs once, so that there are the account and the database of this URL."""
    parts = account(url)
    name, where = str(parts.database), "localhost" if parts.host in {None, "localhost", "127.0.0.1"} else "%"
    user, password = (str(part).replace("\\", "\\\\").replace("'", "''") for part in (parts.username, parts.password))
    # In the name of a database, GRANT takes _ and % as patterns.
    pattern = quoted(name).replace("_", "\\_").replace("%", "\\%")
    return "\n".join(
        (
            f"CREATE DATABASE IF NOT EXISTS {quoted(name)};",
            f"CREATE USER IF NOT EXISTS '{user}'@'{where}' IDENTIFIED BY '{password}';",
            f"GRANT {RIGHTS} ON {pattern}.* TO '{user}'@'{where}';",
            f"SET GLOBAL max_allowed_packet = {PACKET};",
        )
    )


if __name__ == "__main__":
    try:
        sys.stdout.write(grants(os.environ.get(VARIABLE, "")) + "\n")
    except Problem as problem:
        sys.exit(str(problem))
