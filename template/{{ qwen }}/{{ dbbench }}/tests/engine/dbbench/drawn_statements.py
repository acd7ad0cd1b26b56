"""Statements of the kinds that models write, with values that are drawn: what a test compares two databases by."""

import random
from collections.abc import Iterator

COLUMNS = ("Name", "Height", "Price", "Note")
ROWS = (
    ("Unst", "9", "2.50", "first"),
    ("Foula", "12", "1,200", "ZEBRA"),
    ("unst", "30", "12.00", "Émile"),
    ("Sule", "7", "-3.5", "emile"),
    ("Ström", "100", "0", "50% off_x"),
    ("O'Hara", "9", "1e3", "back\\slash"),
    ("Noss", "010", ".5", ""),
    ("noss", "8", "n/a", "2019-05-01"),
)
WHOLE = ("0", "1", "2", "3", "7", "10", "-4", "100", "007", "1 + 1")
DECIMAL = ("2.50", "0.1", "12.00", "-1.5", "3.14159", "100.0", "5.", ".5")
DOUBLE = ("2.5e0", "1.5e-3", "-7e0", "1.25e2")
TEXT = ("'9'", "'unst'", "'2.50'", "'é'", "'12abc'", "'Z'", "''", "'it''s'", '"Noss"', "'10'", "'%o%'", "'1e2'")
FILLINGS = ("'0'", "'ab'")
COLUMN = ("Name", "Height", "Price", "Note", "`Height`", "t.Name")
OPERATORS = ("+", "-", "*", "/", "%", "DIV", "MOD")
RELATIONS = ("=", "<>", "!=", "<", "<=", ">", ">=", "<=>")
ONE = (
    "ABS UPPER LOWER LENGTH CHAR_LENGTH TRIM LTRIM RTRIM REVERSE CEIL CEILING FLOOR ROUND SIGN SQRT EXP LN LOG10 "
    "OCTET_LENGTH UCASE LCASE LOG2"
)
TWO = "CONCAT ROUND TRUNCATE MOD LEFT RIGHT INSTR LOCATE NULLIF IFNULL COALESCE GREATEST LEAST STRCMP REPEAT"
THREE = "SUBSTRING SUBSTR MID REPLACE SUBSTRING_INDEX LPAD RPAD IF CONCAT_WS FIELD COALESCE GREATEST LOCATE"
CASTS = ("SIGNED", "DECIMAL(10,2)", "DECIMAL", "DECIMAL(5,1)", "DOUBLE")
AGGREGATES = ("SUM", "AVG", "MIN", "MAX", "COUNT", "SUM(DISTINCT", "COUNT(DISTINCT", "AVG(DISTINCT")


WORDS = "SELECT FROM AS IN SET 0x b'1' x'41' DATE INTERVAL DEFAULT"
DEBRIS = ["", *"()'\"`,;.*%=<>!|&-+#/\\ \n@:?[]{}\ud800", *WORDS.split()]
DEBRIS += ["9" * 70, "9" * 5000, "1e400", "/*", "*/", "--", "(SELECT 1)", " CASE ", " END ", "DECIMAL(x)", " OVER "]


class Drawing:
    """Draws statements from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def of(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def constant(self) -> str:
        return self.of(*self.rng.choice((WHOLE, DECIMAL, DOUBLE, TEXT)))

    def value(self, depth: int = 1, columns: bool = True) -> str:
        """An expression."""
        kind = self.rng.randrange(10) if depth > 0 else self.rng.randrange(3)
        if kind < 3:
            return self.of(*COLUMN) if columns and self.rng.random() < 0.55 else self.constant()
        one, two, three = (self.value(depth - 1, columns) for _ in range(3))
        number = self.of("0", "1", "2", "3", "-1", "-2")
        if kind == 3:
            return f"({one} {self.of(*OPERATORS)} {two})"
        if kind == 4:
            return f"({one} {self.of(*RELATIONS)} {two})"
        if kind == 5:
            return f"{self.of(*ONE.split())}({one})"
        if kind == 6:
            return f"CAST({one} AS {self.of(*CASTS)})"
        if kind == 7:
            name = self.of(*TWO.split())
            return f"{name}({one}, {number if name in {'ROUND', 'TRUNCATE', 'LEFT', 'RIGHT', 'REPEAT'} else two})"
        if kind == 8:
            return self.three(one, two, three, number)
        return f"CASE WHEN {self.condition(depth - 1)} THEN {one} ELSE {two} END" if columns else one

    def three(self, one: str, two: str, three: str, number: str) -> str:
        """A function of three."""
        name = self.of(*THREE.split())
        if name in {"SUBSTRING", "SUBSTR", "MID"}:
            return f"{name}({one}, {number}, {self.of('1', '2', '5', '-1')})"
        if name in {"LPAD", "RPAD"}:
            return f"{name}({one}, {self.of('2', '4', '8')}, {self.of(*FILLINGS)})"
        if name == "SUBSTRING_INDEX":
            return f"{name}({one}, {self.of(repr(','), repr('o'), repr('.'))}, {number})"
        return f"{name}({one}, {two}, {self.of('1', '2') if name == 'LOCATE' else three})"

    def condition(self, depth: int = 1) -> str:
        """An expression that holds or not."""
        kind = self.rng.randrange(9)
        one, two = self.value(depth), self.value(depth - 1)
        if kind < 3:
            return f"{one} {self.of(*RELATIONS)} {two}"
        if kind == 3:
            return f"{one} {self.of('', 'NOT ')}IN ({self.constant()}, {self.constant()}, {two})"
        if kind == 4:
            return f"{one} {self.of('', 'NOT ')}BETWEEN {self.constant()} AND {two}"
        if kind == 5:
            pattern = self.of("'%o%'", "'U_st'", "'1%'", "'%\\\\%'", "'50\\%%'", "'É%'", "'%.%'", "'%\\_x'")
            return f"{one} {self.of('', 'NOT ')}LIKE {pattern}"
        if kind == 6:
            return f"{one} IS {self.of('', 'NOT ')}{self.of('NULL', 'TRUE', 'FALSE')}"
        if kind == 7 and depth > 0:
            return (
                f"({self.condition(depth - 1)}) {self.of('AND', 'OR', 'XOR', '||', '&&')} ({self.condition(depth - 1)})"
            )
        return f"NOT ({one} = {two})" if kind == 7 else one

    def aggregate(self) -> str:
        name, argument = self.of(*AGGREGATES), self.value(1)
        return f"{name}{' ' if '(' in name else '('}{argument})"

    def statement(self) -> str:
        """One of all kinds."""
        v, c, a = self.value, self.condition, self.aggregate
        select = (
            lambda: f"{v(2, columns=False)}, {v(2, columns=False)}, {v(2, columns=False)}",
            lambda: f"{v(2)}, {v(1)} FROM t",
            lambda: f"Name FROM t WHERE {c(2)}",
            lambda: f"{a()}, {a()} FROM t WHERE {c(1)}",
            lambda: f"{a()} {self.of(*OPERATORS)} {a()} FROM t",
            lambda: f"{v(1)} AS k, {a()}, COUNT(*) FROM t GROUP BY k",
            lambda: f"Note, {a()} AS n FROM t GROUP BY UPPER(LEFT(Name, 1)) HAVING n > {self.constant()}",
            lambda: f"DISTINCT {v(1)} FROM t",
            lambda: f"{v(1)} AS k, Name FROM t ORDER BY k, Height, Price",
            lambda: f"{v(1)} FROM t UNION {self.of('', 'ALL ')}SELECT {self.of(*WHOLE, *DECIMAL, *TEXT)}",
            lambda: f"Name FROM t WHERE {v(1)} {self.of(*RELATIONS[:-1])} (SELECT {a()} FROM t)",
            lambda: f"Name FROM t WHERE {v(1)} {self.of('', 'NOT ')}IN (SELECT {v(1)} FROM t)",
            lambda: f"x.k + 1, CONCAT(x.k) FROM (SELECT {v(1)} AS k FROM t) x WHERE x.k > {self.constant()}",
        )
        change = (
            lambda: f"INSERT INTO t VALUES ({', '.join(v(2, columns=False) for _ in COLUMNS)})",
            lambda: f"INSERT INTO t (Name, Price) SELECT {v(1)}, {v(1)} FROM t WHERE {c(0)}",
            lambda: f"UPDATE t SET {self.of(*COLUMNS)} = {v(2)} WHERE {c(1)}",
            lambda: f"UPDATE t SET Note = {v(1)}, Price = {v(1)}",
            lambda: f"UPDATE t SET Note = {v(1)} WHERE Name = {self.of(*TEXT)}",
            lambda: f"DELETE FROM t WHERE {c(1)}",
        )
        return f"SELECT {self.rng.choice(select)()}" if self.rng.random() < 0.6 else self.rng.choice(change)()


def damaged(count: int, seed: int) -> Iterator[str]:
    """Statements in which signs are missing, or others stand where they should not."""
    rng = random.Random(seed)
    for statement in drawn(count, seed):
        text = statement
        for _ in range(rng.randrange(1, 4)):
            place, further = rng.randrange(len(text) + 1), rng.randrange(8)
            text = text[:place] + rng.choice(DEBRIS) + text[place + further :]
        yield text


def drawn(count: int, seed: int) -> Iterator[str]:
    """So many statements on a table `t` of `COLUMNS` and `ROWS`."""
    drawing = Drawing(seed)
    for _ in range(count):
        yield drawing.statement()
