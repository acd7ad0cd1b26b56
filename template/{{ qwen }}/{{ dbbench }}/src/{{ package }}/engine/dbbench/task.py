"""One task of DB Bench, as its environment plays it."""

from dataclasses import dataclass

from ..mysql.tables import Table

CHANGES = ("INSERT", "UPDATE", "DELETE")
"""The kinds of tasks that change a table."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One question about one database."""

    id: str
    kind: str
    """AgentBench's label, such as `counting` or `INSERT`."""
    statement: str
    """The first message of the user."""
    tables: tuple[Table, ...]
    sql: str
    """A statement that solves it; empty where none is known that can be trusted."""
    answers: tuple[str, ...]
    """What is right for a question; empty where the tables are to be changed."""
    digest: str
    """The hash of the tables after the change; empty for a question."""

    @property
    def changes(self) -> bool:
        """Whether success lies in the tables, not in an answer."""
        return self.kind in CHANGES
