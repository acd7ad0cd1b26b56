"""MySQL's aggregates, on the values of `values.py`, as classes that SQLite makes one of for each group."""

from functools import cmp_to_key

from .arithmetic import add, div
from .comparison import compared
from .values import Exact, Raw, Unsuitable, Value, decoded, double, encoded, exact, folded, number, text

CUT = 1024
"""Bytes of a GROUP_CONCAT: MySQL's `group_concat_max_len`."""
GATHERED = 1_000_000
"""Characters that are put together before it is cut."""


class Total:
    """SUM: of whole numbers and decimals a decimal, else a double."""

    def __init__(self) -> None:
        self.total: Value = None
        self.count = 0

    def step(self, raw: Raw) -> None:
        value = decoded(raw)
        if value is not None:
            found = number(value)
            self.total = add(
                0 if self.total is None else self.total, found if isinstance(found, float) else exact(found)
            )
            self.count += 1

    def finalize(self) -> Raw:
        return encoded(self.total)


class Mean(Total):
    """AVG."""

    def finalize(self) -> Raw:
        mean = div(self.total, self.count) if self.count else None
        if isinstance(mean, Exact) and isinstance(self.total, Exact):
            mean = mean._replace(near=double(self.total) / self.count)
        return encoded(mean)


class Largest:
    """MAX. SQLite's own would choose the other columns' row, too."""

    wanted = 1

    def __init__(self) -> None:
        self.best: Value = None

    def step(self, raw: Raw) -> None:
        value = decoded(raw)
        if value is not None and (self.best is None or compared(value, self.best) == self.wanted):
            self.best = value

    def finalize(self) -> Raw:
        return encoded(self.best)


class Smallest(Largest):
    """MIN."""

    wanted = -1


class Joined:
    """GROUP_CONCAT: of a separator, whether texts count once, the directions of its order, the text, and the keys."""

    def __init__(self) -> None:
        self.separator, self.distinct, self.directions = ",", False, ""
        self.rows: list[tuple[str, tuple[Value, ...]]] = []
        self.size = 0

    def step(self, separator: str, distinct: int, directions: str, raw: Raw, *keys: Raw) -> None:
        self.separator, self.distinct, self.directions = separator, bool(distinct), directions
        value = decoded(raw)
        if value is not None:
            self.rows.append((text(value), tuple(map(decoded, keys))))
            self.size += len(self.rows[-1][0]) + 100
            if self.size > GATHERED:
                raise Unsuitable("GROUP_CONCAT is given too much")

    def finalize(self) -> str | None:
        for place in reversed(range(len(self.directions))):
            self.rows.sort(key=lambda row: _KEY(row[1][place]), reverse=self.directions[place] == "d")
        texts = [row[0] for row in self.rows]
        if self.distinct:
            found = {folded(each): each for each in reversed(texts)}
            texts = list(found.values())[::-1] if self.directions else [found[key] for key in sorted(found)]
        whole = self.separator.join(texts).encode()[:CUT].decode(errors="ignore")
        return whole if self.rows else None


class Single:
    """The value of a subquery that has at most one row."""

    def __init__(self) -> None:
        self.found: list[Raw] = []

    def step(self, raw: Raw) -> None:
        if self.found:
            raise Unsuitable("Subquery returns more than 1 row")
        self.found.append(raw)

    def finalize(self) -> Raw:
        return self.found[0] if self.found else None


def _order(one: Value, other: Value) -> int:
    return (one is not None) - (other is not None) if one is None or other is None else compared(one, other) or 0


_KEY = cmp_to_key(_order)
AGGREGATES: dict[str, type] = {
    "sum": Total,
    "avg": Mean,
    "max": Largest,
    "min": Smallest,
    "group_concat": Joined,
    "single": Single,
}
"""What a statement calls, by name."""
