# ruff: noqa: S608 (the statements are what is made here; `literal` quotes the values)
"""Questions about a drawn table, what is right for each, and the SQL that finds it.

What is right is worked out from the rows in Python; the statement has to lead to the same, which is checked when the
expert plays the task.
"""

from collections.abc import Callable
from math import fsum
from statistics import fmean
from typing import NamedTuple

from numpy.random import Generator

from ..mysql.tables import Table, quoted
from .task import CHANGES
from .themes import Field, Sheet, number, pick, split, themes

AGGREGATES: dict[str, Callable[[list[float]], float]] = {"SUM": fsum, "AVG": fmean, "MAX": max, "MIN": min}
KINDS = ("other", "counting", "comparison", "ranking", *(f"aggregation-{name}" for name in AGGREGATES), *CHANGES)
"""AgentBench's labels. It has tasks of all of them but DELETE."""


class Question(NamedTuple):
    """A question, with its answer or what its table shall be afterwards."""

    text: str
    sql: str
    answers: tuple[str, ...]
    table: Table


class Condition(NamedTuple):
    """What some rows have in common."""

    field: Field
    comparison: str
    value: str

    @property
    def sql(self) -> str:
        if self.comparison == "=":
            return f"{quoted(self.field.header)} = {literal(self.value)}"
        return f"{self.field.sql} {self.comparison} {number(self.value):g}"

    def holds(self, value: str) -> bool:
        """Whether it is true of a row with this value."""
        if self.comparison == "=":
            return value == self.value
        one, other = number(value), number(self.value)
        return one > other if self.comparison == ">" else one < other


def ask(kind: str, sheet: Sheet, part: str, rng: Generator) -> Question:
    """A question of a kind, in the words of a split."""
    return Asking(sheet, themes(part)["wordings"], rng).ask(kind)


class Asking:
    """Draws questions about one table."""

    def __init__(self, sheet: Sheet, wordings: dict[str, str], rng: Generator) -> None:
        self.sheet, self.wordings, self.rng = sheet, wordings, rng
        self.name, *self.others = sheet.fields
        self.numeric = [field for field in self.others if field.numeric]
        self.plain = [field for field in self.others if field.kind in {"choice", "person"}]

    def ask(self, kind: str) -> Question:
        """A question of a kind."""
        if kind in CHANGES:
            return {"INSERT": self.insert, "UPDATE": self.update, "DELETE": self.delete}[kind]()
        if kind.startswith("aggregation"):
            return self.aggregate(kind.rpartition("-")[2])
        questions = {"other": self.other, "counting": self.count, "comparison": self.compare, "ranking": self.rank}
        return questions[kind]()

    def other(self) -> Question:
        """A value of the row that has a name, or of those that have something in common."""
        asked = pick(self.others, self.rng)
        where = [self.named()] if self.rng.random() < 0.6 else [self.equal(asked)]
        return self.listing("other", asked, where)

    def count(self) -> Question:
        """How many rows there are."""
        where = [self.equal()] if self.rng.random() < 0.6 else [self.bound(pick(self.numeric, self.rng))]
        answer = str(len(self.having(where)))
        return self.question("counting", f"SELECT COUNT(*) FROM {self.place}{clause(where)}", (answer,), where=where)

    def compare(self) -> Question:
        """The names of the rows whose number is large or small enough; now and then there are none."""
        bound, equal = self.bound(pick(self.numeric, self.rng)), self.equal()
        both = self.rng.random() < 0.4 and (self.having([bound, equal]) or self.rng.random() < 0.3)
        return self.listing("comparison", self.name, [bound, equal] if both else [bound])

    def rank(self) -> Question:
        """The row that is first or last."""
        field, highest = pick(self.ends() or [(self.numeric[0], True)], self.rng)
        place = self.sheet.fields.index(field)
        order = "DESC" if highest else "ASC"
        sql = f"SELECT {quoted(self.name.header)} FROM {self.place} ORDER BY {field.sql} {order} LIMIT 1"
        row = (max if highest else min)(self.sheet.table.rows, key=lambda row: number(row[place]))
        kind = "highest" if highest else "lowest"
        return self.question(kind, sql, (row[0],), asked=self.name, column=field)

    def ends(self) -> list[tuple[Field, bool]]:
        """The columns of which only one row has the highest number, with true, or the lowest."""
        found = []
        for field in self.numeric:
            values = [number(row[self.sheet.fields.index(field)]) for row in self.sheet.table.rows]
            found += [
                (field, highest) for highest in (True, False) if values.count((max if highest else min)(values)) == 1
            ]
        return found

    def aggregate(self, function: str) -> Question:
        """One number for the rows that have something in common."""
        free = [field for field in self.numeric if function != "SUM" or field.kind != "year"]
        field, where = pick(free or self.numeric, self.rng), [self.equal()]
        place = self.sheet.fields.index(field)
        found = AGGREGATES[function]([number(row[place]) for row in self.having(where)])
        if round(100 * found, 6) % 1 == 0.5:
            return self.aggregate(function)  # how a half is rounded depends on the database
        expression = f"{function}({field.sql})"
        sql = f"ROUND({expression}, 2)" if function in {"SUM", "AVG"} else expression
        answer = str(round(found, 2))
        statement = f"SELECT {sql} FROM {self.place}{clause(where)}"
        return self.question(function, statement, (answer,), column=field, where=where)

    def insert(self) -> Question:
        """A further row."""
        row = (self.sheet.spare, *(field.value(self.rng) for field in self.others))
        columns = ", ".join(quoted(field.header) for field in self.sheet.fields)
        sql = f"INSERT INTO {self.place} ({columns}) VALUES ({', '.join(map(literal, row))})"
        pairs = list(zip(self.sheet.fields, row, strict=True))
        return self.question("INSERT", sql, (), rows=(*self.sheet.table.rows, row), pairs=pairs)

    def update(self) -> Question:
        """Other values in the row that has a name, or in those that have something in common."""
        where = self.named() if self.rng.random() < 0.7 else self.equal()
        free = [field for field in self.others if field != where.field]
        chosen = self.rng.permutation(len(free))[: int(self.rng.integers(1, 3))]
        pairs = [(free[place], free[place].value(self.rng)) for place in chosen]
        values = dict(pairs)
        changed = self.having([where])
        rows = tuple(
            tuple(values.get(field, old) for field, old in zip(self.sheet.fields, row, strict=True))
            if row in changed
            else row
            for row in self.sheet.table.rows
        )
        if rows == self.sheet.table.rows:
            return self.update()  # who does nothing shall not be right
        settings = ", ".join(f"{quoted(field.header)} = {literal(value)}" for field, value in pairs)
        sql = f"UPDATE {self.place} SET {settings}{clause([where])}"
        return self.question("UPDATE", sql, (), rows=rows, pairs=pairs, where=[where])

    def delete(self) -> Question:
        """Fewer rows."""
        kinds = (self.named(), self.equal(), self.bound(pick(self.numeric, self.rng)))
        where = [pick(kinds, self.rng)]
        gone = self.having(where)
        if not gone:
            return self.delete()
        rows = tuple(row for row in self.sheet.table.rows if row not in gone)
        return self.question("DELETE", f"DELETE FROM {self.place}{clause(where)}", (), rows=rows, where=where)

    def listing(self, kind: str, asked: Field, where: list[Condition]) -> Question:
        """What the rows that fulfil conditions have in one column."""
        place = self.sheet.fields.index(asked)
        answers = tuple(row[place] for row in self.having(where)) or ("none",)
        sql = f"SELECT {quoted(asked.header)} FROM {self.place}{clause(where)}"
        return self.question(kind, sql, answers, asked=asked, where=where)

    def named(self) -> Condition:
        """A row has a name."""
        return Condition(self.name, "=", pick(self.sheet.table.rows, self.rng)[0])

    def equal(self, unlike: Field | None = None) -> Condition:
        """Some rows share a value, in another column than the one that is asked for."""
        free = [field for field in self.plain if field != unlike]
        if not free:
            return self.named()
        field = pick(free, self.rng)
        row = pick(self.sheet.table.rows, self.rng)
        return Condition(field, "=", row[self.sheet.fields.index(field)])

    def bound(self, field: Field) -> Condition:
        """One to five values, of those that there are, lie beyond a number."""
        place = self.sheet.fields.index(field)
        above = bool(self.rng.random() < 0.5)
        values = sorted({row[place] for row in self.sheet.table.rows}, key=number, reverse=above)
        beyond = min(int(self.rng.integers(1, 6)), len(values) - 1)
        return Condition(field, ">" if above else "<", values[beyond].replace(",", ""))

    def having(self, where: list[Condition]) -> list[tuple[str, ...]]:
        """The rows that fulfil all conditions."""
        places = [(condition, self.sheet.fields.index(condition.field)) for condition in where]
        rows = self.sheet.table.rows
        return [row for row in rows if all(condition.holds(row[place]) for condition, place in places)]

    @property
    def place(self) -> str:
        return quoted(self.sheet.table.name)

    def question(
        self,
        wording: str,
        sql: str,
        answers: tuple[str, ...],
        *,
        asked: Field | None = None,
        column: Field | None = None,
        where: list[Condition] | None = None,
        pairs: list[tuple[Field, str]] | None = None,
        rows: tuple[tuple[str, ...], ...] | None = None,
    ) -> Question:
        """Put it into words."""
        table = self.sheet.table
        text = self.worded(wording).format(
            noun=self.sheet.noun,
            nouns=self.sheet.nouns,
            table=table.name,
            asked=asked.header if asked else "",
            column=column.header if column else "",
            where=" and ".join(self.condition(condition) for condition in where or []),
            pairs=", ".join(self.pair(field, value) for field, value in pairs or []),
        )
        after = table if rows is None else table._replace(rows=rows)
        return Question(text, sql, answers, after)

    def condition(self, condition: Condition) -> str:
        """Put a condition into words."""
        wording = {"=": "equal", ">": "above", "<": "below"}[condition.comparison]
        return self.worded(wording).format(column=condition.field.header, value=condition.value)

    def pair(self, field: Field, value: str) -> str:
        """Put a new value into words."""
        return self.worded("pair").format(column=field.header, value=value)

    def worded(self, wording: str) -> str:
        """One of a split's ways to say it."""
        return pick(split(self.wordings[wording]), self.rng)


def clause(where: list[Condition]) -> str:
    """Conditions in SQL."""
    return f" WHERE {' AND '.join(condition.sql for condition in where)}"


def literal(value: str) -> str:
    """A text in SQL. It has no backslashes, which would take the next sign with them."""
    return "'" + value.replace("'", "''") + "'"
