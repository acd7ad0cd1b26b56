"""Reads a statement as MySQL does, with sqlglot: backslashes and double quotes make texts, `||` is OR."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from .kinds import Refused
from .tables import Failed

# Texts, names and comments; and what sqlglot takes for more than MySQL does: 5--1 for 5, and 1e0+1 for one number.
_PARTS = re.compile(
    r"""'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|`[^`]*+`|/\*.*?\*/|\#[^\n]*|--(?:\s[^\n]*|\Z)"""
    r"""|(--)|(\A\s*REPLACE\b)|((?<![\w$.])[0-9.]++E[0-9]++(?=[+-]))""",
    re.DOTALL | re.IGNORECASE,
)


def parsed(statement: str) -> tuple[str, exp.Expr]:
    """The text that was read, and what it says.

    Raises:
        Failed: it is not MySQL's.
        Refused: it is more than one statement, or a comment in it is executed.
    """
    text = _PARTS.sub(_read, statement)
    try:
        trees = [tree for tree in sqlglot.parse(text, read="mysql") if tree]
    except SqlglotError as error:
        known = getattr(error, "errors", None)
        described = (
            f"{known[0]['description']}, near '{known[0]['highlight']}'" if known else str(error).partition("\n")[0]
        )
        raise Failed(f"Error: syntax error: {described}") from None
    if len(trees) != 1:
        raise Refused("several statements")
    return text, trees[0]


def _read(part: re.Match[str]) -> str:
    """A part of a statement as sqlglot reads it rightly. No table has a key, so REPLACE is INSERT."""
    if part[0].startswith(("/*!", "/*M!")):
        raise Refused("a comment that is executed")
    return "- -" if part[1] else "INSERT" if part[2] else f"{part[0]} " if part[3] else part[0]
