"""MySQL's values, where SQLite holds them.

MySQL counts in three ways: whole numbers, decimals with so many places, and doubles; and a text in arithmetic is a
double. SQLite has no decimals, so one is a text that begins with `MARK`, which no statement of a model can write.
"""

import re
import unicodedata
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import NamedTuple, TypeAlias

MARK = "\x01"
GROUP = 9
"""Digits of a decimal lie in groups of nine: a quotient has all that its last group holds."""
INCREMENT = 4
"""Places that a quotient has beyond those of the dividend: MySQL's `div_precision_increment`."""
DIGITS = 65
"""Digits that a decimal may have before its point."""
PLACES = 30
"""Places that a decimal may have."""
SMALLEST, LARGEST = -(2**63), 2**64 - 1
"""The least whole number with a sign, the greatest without."""
_CONTEXT = Context(prec=200)
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")


class Exact(NamedTuple):
    """A decimal: what it is, and with how many places it is shown. A quotient is known to more than it shows."""

    value: Decimal
    scale: int
    near: float | None = None
    """Of a mean, the double that it is beside doubles."""

    @property
    def shown(self) -> Decimal:
        """It with its places."""
        rounded = self.value.quantize(Decimal(1).scaleb(-self.scale), ROUND_HALF_UP, _CONTEXT)
        return rounded or abs(rounded)


Number: TypeAlias = int | float | Exact
Value: TypeAlias = Number | str | None
Raw: TypeAlias = int | float | str | None


class Unsuitable(Exception):
    """A value with which MySQL ends a statement; the message is what the model is told."""


def decoded(raw: Raw) -> Value:
    """A value of SQLite's as one of MySQL's."""
    if isinstance(raw, str) and raw.startswith(MARK):
        scale, digits, near = raw[1:].split(" ")
        return Exact(Decimal(digits), int(scale), float(near) if near else None)
    return raw


def encoded(value: Value) -> Raw:
    """A value of MySQL's as SQLite holds it.

    Raises:
        Unsuitable: it is a decimal of too many digits.
    """
    if isinstance(value, int) and not SMALLEST <= value < 2**63:
        value = Exact(Decimal(value), 0)
    if isinstance(value, float):
        return value + 0.0  # which makes 0 of what is -0 elsewhere
    if isinstance(value, Exact):
        if value.value and value.value.adjusted() >= DIGITS:
            raise Unsuitable("DECIMAL value is out of range")
        near = "" if value.near is None else repr(value.near)
        return f"{MARK}{value.scale} {value.value:f} {near}"
    return value


def python(raw: Raw) -> object:
    """What a client of MySQL makes of a value."""
    value = decoded(raw)
    if not isinstance(value, Exact):
        return value
    whole = value.scale == 0 and 2**63 <= value.value <= LARGEST
    return int(value.value) if whole else value.shown


def text(value: Value) -> str:
    """A value that is not NULL as a text."""
    if isinstance(value, float):
        return written(value)
    return f"{value.shown:f}" if isinstance(value, Exact) else str(value)


def stored(raw: Raw) -> str | None:
    """What a column of text keeps of a value: of a decimal every digit that is known."""
    value = decoded(raw)
    if isinstance(value, Exact):
        return f"{value.value:f}"
    return None if value is None else text(value)


def written(value: float) -> str:
    """A double as MySQL writes it: as few digits as tell it from its neighbours, with an exponent from 10^15 on."""
    number = Decimal(repr(value)).normalize()
    if not number:
        return "0"
    if -15 <= number.adjusted() < 15:
        return f"{number:f}"
    sign, digits, _ = number.as_tuple()
    whole, rest = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{'-' * sign}{whole}{'.' * bool(rest)}{rest}e{number.adjusted()}"


def leading(value: str) -> tuple[str, bool]:
    """The number that a text begins with, and whether something else follows it."""
    found = _NUMBER.match(value)
    return (found[1], bool(value[found.end() :].strip())) if found else ("0", bool(value.strip()))


def number(value: Value) -> Number:
    """A value that is not NULL as a number: a text is a double."""
    if isinstance(value, str):
        return float(leading(value)[0])
    assert value is not None, "a caller has looked for NULL"
    return value


def plain(value: Number) -> int | float | Decimal:
    """A number of Python's; of a decimal, what it shows."""
    return value.shown if isinstance(value, Exact) else value


def double(value: Number) -> float:
    """A number as a double, with every digit that is known."""
    if isinstance(value, Exact):
        return float(value.value) if value.near is None else value.near
    return float(value)


def exact(value: int | Exact) -> Exact:
    """A whole number as a decimal, too."""
    return value if isinstance(value, Exact) else Exact(Decimal(value), 0)


def places(value: Decimal) -> int:
    """How many digits stand behind its point."""
    return max(0, -int(value.as_tuple().exponent))


def quotient(one: Exact, other: Exact) -> Exact:
    """A decimal divided by another that is not 0."""
    scale = min(one.scale + INCREMENT, PLACES)
    if not one.value:
        return Exact(Decimal(0), scale)
    known = [-(-places(each.value) // GROUP) * GROUP for each in (one, other)]
    missing = max(0, INCREMENT - sum(known) + places(one.value) + places(other.value))
    digits = -(-(sum(known) + missing) // GROUP) * GROUP
    value = _CONTEXT.divide(one.value, other.value).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN, _CONTEXT)
    return Exact(value, scale)


def fitted(value: Exact, scale: int, mode: str = ROUND_HALF_UP) -> Exact:
    """A decimal with other places; before the point where the scale is negative."""
    unit = Decimal(1).scaleb(-scale)
    return Exact(Decimal(f"{value.value.quantize(unit, mode, _CONTEXT):f}"), max(scale, 0))


@lru_cache(4096)
def folded(value: str) -> str:
    """A text without case and accents, as it is compared; each character stays one."""
    if value.isascii():
        return value.upper()
    return "".join(map(_folded, value))


def _folded(character: str) -> str:
    base = unicodedata.normalize("NFD", character)[0].upper()
    return {"ß": "S", "SS": "S"}.get(base, base[0])


def ordered(one: str, other: str) -> int:
    """The collation: -1, 0 or 1 as a text comes before, with or behind another. It knows decimals, too."""
    first, second = decoded(one), decoded(other)
    if isinstance(first, Exact) and isinstance(second, Exact):
        return (first.value > second.value) - (first.value < second.value)
    left, right = folded(one), folded(other)
    return (left > right) - (left < right)
