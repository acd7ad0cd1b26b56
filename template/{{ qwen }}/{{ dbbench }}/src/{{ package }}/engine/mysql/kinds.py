# ruff: noqa: S608 (names are quoted, and values are translated: nothing of the text that was read is copied)
"""What a translation of MySQL's statements is made of: expressions for SQLite, and the kinds of their values.

MySQL knows the kind of an expression before it executes a statement, and all values of a column are of one kind.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from sqlglot import exp

from .values import MARK, PLACES, Exact, encoded


class Refused(Exception):
    """What SQLite would answer otherwise than MySQL, or not at all; the message is the part of the statement."""


class Kind(NamedTuple):
    """Of two kinds in one column, the one with the higher rank is that of both."""

    rank: int
    scale: int = 0
    """With how many places a number is written. `FREE`, as many as it needs, is what only doubles have."""

    @property
    def numeric(self) -> bool:
        return INTEGER.rank <= self.rank <= DOUBLE.rank

    @property
    def fixed(self) -> bool:
        """Whether it is a double that has its places from ROUND or the like."""
        return self.rank == DOUBLE.rank and self.scale < FREE


FREE = PLACES + 1
NULL, INTEGER, DECIMAL = Kind(0), Kind(1), Kind(2)
DOUBLE, TEXT, UNKNOWN = Kind(3, FREE), Kind(4, FREE), Kind(5, FREE)


class Sql(NamedTuple):
    """An expression for SQLite."""

    text: str
    kind: Kind

    @property
    def collated(self) -> str:
        """It where values are put in order or told apart."""
        plain = self.kind.rank in {NULL.rank, INTEGER.rank, DOUBLE.rank}
        return self.text if plain else f"{self.text} COLLATE my"

    @property
    def read(self) -> str:
        """It where a text is wanted: a double that has been rounded keeps its zeros."""
        return f"my_fixed({self.text}, {self.kind.scale})" if self.kind.fixed else self.text

    def into(self, kind: Kind) -> "Sql":
        """It as another kind."""
        if self.kind in {kind, NULL, UNKNOWN} or kind in {NULL, INTEGER, UNKNOWN}:
            return self
        if kind.rank == DECIMAL.rank:
            return Sql(f"my_as_scale({self.text}, {kind.scale})", kind)
        return Sql(f"my_as_text({self.read})" if kind == TEXT else f"my_as_double({self.text})", kind)


class Selection(NamedTuple):
    """One SELECT: what stands before its columns, these with their names, and what follows."""

    before: str
    columns: tuple[tuple[Sql, str], ...]
    after: str

    def into(self, kinds: Sequence[Kind]) -> str:
        """It with columns of these kinds."""
        # Where a text is among them, a number is what a column of texts keeps of it.
        listed = [
            Sql(f"my_stored({one.text})", TEXT) if kind == TEXT and one.kind.numeric else one.into(kind)
            for (one, _), kind in zip(self.columns, kinds, strict=True)
        ]
        made = [f"{one.collated}{name}" for one, (_, name) in zip(listed, self.columns, strict=True)]
        return f"{self.before}{', '.join(made)}{self.after}"


class Query(NamedTuple):
    """What gives rows: one SELECT, or several with UNION between them."""

    before: str
    selections: tuple[Selection, ...]
    words: tuple[str, ...]
    after: str

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Those of its columns. Where a star stands for some, nothing is known of any."""
        rows = [tuple(one.kind for one, _ in each.columns) for each in self.selections]
        if self.starred or len(set(map(len, rows))) > 1:
            return (UNKNOWN,) * len(rows[0])
        return tuple(map(unified, zip(*rows, strict=True)))

    @property
    def starred(self) -> bool:
        """Whether a star stands for some of its columns."""
        return any(name == STAR for each in self.selections for _, name in each.columns)

    def into(self, kinds: Sequence[Kind]) -> str:
        """It with columns of these kinds."""
        uneven = any(len(each.columns) != len(kinds) for each in self.selections)
        texts = [each.into([UNKNOWN] * len(each.columns) if uneven else kinds) for each in self.selections]
        return self.before + texts[0] + "".join(map("".join, zip(self.words, texts[1:], strict=True))) + self.after

    @property
    def text(self) -> str:
        return self.into(self.kinds)

    @property
    def whole(self) -> str:
        """It as a statement. Of a double that has been rounded, no more than its places are sent."""
        kinds = self.kinds
        if not any(kind.fixed for kind in kinds):
            return self.text
        names = [f"`{place}`" for place in range(len(kinds))]
        shown = [
            f"my_round({name}, {kind.scale})" if kind.fixed else name for name, kind in zip(names, kinds, strict=True)
        ]
        return f"WITH result({', '.join(names)}) AS ({self.text}) SELECT {', '.join(shown)} FROM result"

    def column(self) -> Kind:
        """The kind of its only column.

        Raises:
            Refused: it may have several.
        """
        if len(self.kinds) != 1 or self.starred:
            raise Refused(f"{self.text[:80]} in place of a value")
        return self.kinds[0]


STAR = " "
"""The name of a column that stands for all."""


@runtime_checkable
class Translator(Protocol):
    """What the translation of an expression asks of the statement around it."""

    strict: bool
    """Whether a text that is no number is an error."""

    def sql(self, node: exp.Expr) -> Sql:
        """An expression in it."""

    def number(self, node: exp.Expr, check: str = "checked") -> Sql:
        """An expression that has to be a number."""

    def condition(self, node: exp.Expr) -> str:
        """An expression that holds or not."""

    def query(self, node: exp.Expr) -> Query:
        """A query in it."""

    def column(self, node: exp.Expr) -> Sql:
        """A column."""


def unified(kinds: Iterable[Kind]) -> Kind:
    """The kind of a column that holds all of these."""
    listed = list(kinds)
    rank = max(kind.rank for kind in listed)
    return Kind(rank, max(kind.scale for kind in listed))


def decimal(scale: int) -> Kind:
    """A decimal with so many places."""
    return Kind(DECIMAL.rank, min(scale, PLACES))


def arithmetic(one: Kind, other: Kind, scale: int) -> Kind:
    """What an operator makes of two numbers; a decimal or a double gets these places."""
    rank = min(max(one.rank, other.rank), DOUBLE.rank) if UNKNOWN not in {one, other} else UNKNOWN.rank
    return {DECIMAL.rank: decimal(scale), DOUBLE.rank: Kind(DOUBLE.rank, min(scale, FREE))}.get(
        rank, UNKNOWN if rank == UNKNOWN.rank else Kind(rank)
    )


def only(node: exp.Expr, *names: str) -> None:
    """See that nothing else belongs to a part of a statement.

    Raises:
        Refused: something does.
    """
    for name, value in node.args.items():
        if value and name not in names:
            raise Refused(f"{name.strip('_').replace('_', ' ')} in {written(node)}")


def written(node: exp.Expr) -> str:
    """A part of a statement as MySQL writes it, cut."""
    whole = node.sql("mysql")
    return whole if len(whole) <= 80 else f"{whole[:80]}…"


def constant(value: Exact | str) -> str:
    """A text or a decimal that stands in the statement.

    Raises:
        Refused: SQLite cannot hold the text.
    """
    if isinstance(value, str) and ("\0" in value or MARK in value):
        raise Refused("a control character in a text")
    return "'" + str(encoded(value)).replace("'", "''") + "'"
