"""What the tables of a task are, in SQLite and on a server alike."""

from typing import NamedTuple


class Table(NamedTuple):
    """A table of text."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Failed(Exception):
    """A statement that was not executed, or not to its end; the message is what the model is told."""


def quoted(name: str) -> str:
    """A name as both databases read it."""
    return f"`{name.replace('`', '``')}`"
