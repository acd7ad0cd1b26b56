"""Invented tables: what `themes.toml` says, drawn."""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar

from numpy.random import Generator

from ..mysql.tables import Table, quoted

T = TypeVar("T")

NUMBERS = {"whole", "thousands", "decimal", "year"}
"""The kinds of columns that can be compared and added up."""
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"


class Field(NamedTuple):
    """A column of a drawn table, and where its values come from."""

    header: str
    kind: str
    choices: tuple[str, ...]
    low: int
    high: int

    @property
    def numeric(self) -> bool:
        return self.kind in NUMBERS

    @property
    def sql(self) -> str:
        """The column as a number, the same on SQLite and MariaDB: both hold it as text."""
        column = quoted(self.header)
        return f"REPLACE({column}, ',', '') + 0.0" if self.kind == "thousands" else f"{column} + 0.0"

    def value(self, rng: Generator) -> str:
        """A value for one row."""
        if self.kind == "date":
            return date(self.choices[0], rng)
        if self.kind == "decimal":
            return f"{rng.integers(self.low * 10, self.high * 10, endpoint=True) / 10}"
        if not self.numeric:
            return pick(self.choices, rng)
        number = int(rng.integers(self.low, self.high, endpoint=True))
        return f"{number:,}" if self.kind == "thousands" else str(number)


class Sheet(NamedTuple):
    """A drawn table. Its first field names the rows, each of them otherwise."""

    table: Table
    fields: tuple[Field, ...]
    noun: str
    nouns: str
    spare: str
    """A name that no row has."""


@cache
def themes(split: str) -> dict[str, Any]:
    """What `themes.toml` holds for a split."""
    return tomllib.loads((files(__package__ or "") / "themes.toml").read_text(encoding="utf-8"))[split]


def pick(choices: Sequence[T], rng: Generator) -> T:
    """One of them."""
    return choices[int(rng.integers(len(choices)))]


def split(text: str) -> list[str]:
    """What stands between the bars."""
    return text.split("|")


def number(value: str) -> float:
    """A numeric column's value."""
    return float(value.replace(",", ""))


def date(form: str, rng: Generator) -> str:
    """A day of the twentieth century or soon after, in one of three forms."""
    year, month, day = int(rng.integers(1902, 2024)), int(rng.integers(12)), int(rng.integers(1, 29))
    return form.format(year=year, month=month + 1, name=split(_MONTHS)[month], day=day)


def sheet(part: str, rng: Generator) -> Sheet:
    """A table of a split's themes: some columns in some order, 6 to 24 rows, headers in one of two styles."""
    theme, people = pick(themes(part)["themes"], rng), themes(part)["people"]
    snake = bool(rng.random() < 0.3)
    fields = [Field(styled(pick(split(theme["name"]), rng), snake), "name", (), 0, 0)]
    fields += [field(column, people, snake, rng) for column in some(theme["columns"], rng)]
    names = [f"{first} {second}" for first in split(theme["first"]) for second in split(theme["second"])]
    order = rng.permutation(len(names))
    count = int(rng.integers(6, 25))
    rows = tuple((names[place], *(one.value(rng) for one in fields[1:])) for place in order[:count])
    table = Table(styled(pick(split(theme["title"]), rng), snake), tuple(one.header for one in fields), rows)
    noun, nouns = split(theme["noun"])
    return Sheet(table, tuple(fields), noun, nouns, names[order[count]])


def some(columns: list[list[Any]], rng: Generator) -> list[list[Any]]:
    """Some of a theme's columns in some order; one of them at least is numeric, and one is not."""
    while True:
        chosen = [columns[place] for place in rng.permutation(len(columns))[: int(rng.integers(3, 7))]]
        kinds = {column[0] for column in chosen}
        if kinds & NUMBERS and kinds & {"choice", "person"}:
            return chosen


def field(column: list[Any], people: list[str], snake: bool, rng: Generator) -> Field:
    """A column as `themes.toml` describes it."""
    kind, headers, *rest = column
    choices: tuple[str, ...] = ()
    low, high = rest if kind in NUMBERS else (0, 0)
    if kind == "choice":
        choices = tuple(split(rest[0]))
    elif kind == "person":
        choices = tuple(f"{pick(split(people[0]), rng)} {pick(split(people[1]), rng)}" for _ in range(6))
    elif kind == "date":
        choices = (pick(("{name} {day}, {year}", "{day} {name} {year}", "{year}-{month:02}-{day:02}"), rng),)
    return Field(styled(pick(split(headers), rng), snake), kind, choices, low, high)


def styled(header: str, snake: bool) -> str:
    """A header or title as it stands, or in snake case."""
    return re.sub(r"\W+", "_", header.lower()).strip("_") if snake else header
