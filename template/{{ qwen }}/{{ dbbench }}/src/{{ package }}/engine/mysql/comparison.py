"""MySQL's comparisons and conversions, on the values of `values.py`."""

from collections.abc import Callable
from decimal import Decimal

from .arithmetic import integer, whole
from .values import SMALLEST, Exact, Unsuitable, Value, double, exact, fitted, folded, leading, number, plain, text

_DIGITS = "0123456789"


def compared(one: Value, other: Value) -> int | None:
    """-1, 0 or 1; NULL with NULL. Two texts are compared as texts, everything else as numbers."""
    if one is None or other is None:
        return None
    if isinstance(one, str) and isinstance(other, str):
        left, right = folded(one), folded(other)
        return (left > right) - (left < right)
    first, second = number(one), number(other)
    if isinstance(first, float) or isinstance(second, float):
        first, second = double(first), double(second)
    return (plain(first) > plain(second)) - (plain(first) < plain(second))


def comparison(holds: Callable[[int], bool]) -> Callable[[Value, Value], Value]:
    """An operator that looks at how two values compare."""

    def called(one: Value, other: Value) -> Value:
        found = compared(one, other)
        return None if found is None else int(holds(found))

    return called


equal = comparison(lambda found: found == 0)
below = comparison(lambda found: found <= 0)


def same(one: Value, other: Value) -> Value:
    """<=>: NULL is like NULL."""
    return int(one is None and other is None) if one is None or other is None else equal(one, other)


def between(value: Value, low: Value, high: Value) -> Value:
    """BETWEEN."""
    found = (below(low, value), below(value, high))
    return 0 if 0 in found else None if None in found else 1


def among(value: Value, *others: Value) -> Value:
    """IN."""
    found = [equal(value, other) for other in others]
    return 1 if 1 in found else None if None in found else 0


def true(value: Value) -> Value:
    """A value as a condition."""
    return None if value is None else int(plain(number(value)) != 0)


def most(wanted: int) -> Callable[..., Value]:
    """GREATEST, with 1, and LEAST, with -1: NULL if one is."""

    def called(*values: Value) -> Value:
        if None in values:
            return None
        best = values[0]
        for value in values[1:]:
            best = value if compared(value, best) == wanted else best
        return best

    return called


def field(value: Value, *others: Value) -> Value:
    """Which of the others is equal to it, counted from 1; 0 if none is."""
    return next((place for place, other in enumerate(others, 1) if equal(value, other)), 0)


def strcmp(one: Value, other: Value) -> Value:
    """STRCMP."""
    return None if one is None or other is None else compared(text(one), text(other))


def as_text(value: Value, length: Value = None) -> Value:
    """CAST to CHAR, with a length."""
    return None if value is None else text(value)[: length if isinstance(length, int) else None]


def as_double(value: Value) -> Value:
    """CAST to DOUBLE."""
    return None if value is None else double(number(value))


def as_decimal(value: Value, digits: Value, scale: Value, strict: Value = 0) -> Value:
    """With so many digits, of which so many stand behind the point; what is larger becomes the largest of them.

    Raises:
        Unsuitable: it is larger, and a change asks.
    """
    assert isinstance(digits, int), "the translation writes it"
    assert isinstance(scale, int), "and this too"
    if value is None:
        return None
    found = value.value if isinstance(value, Exact) else Decimal(leading(text(value))[0])
    largest = (10**digits - 1) * Decimal(1).scaleb(-scale)
    known = fitted(Exact(found, scale), scale).value
    if strict and abs(known) > largest:
        raise Unsuitable(f"Out of range value: '{text(value)}'")
    return Exact(max(-largest, min(largest, known)), scale)


def as_scale(value: Value, scale: Value) -> Value:
    """A number beside others of so many places."""
    assert isinstance(scale, int), "the translation writes it"
    found = None if value is None else number(value)
    return Exact(exact(found).value, scale) if isinstance(found, (int, Exact)) else found


def as_integer(value: Value) -> Value:
    """A number is rounded; of a text, the digits that it begins with count."""
    if not isinstance(value, str):
        return None if value is None else whole(integer(value))
    found = int(integral(value) or "0")
    if not SMALLEST <= found < 2**63:
        raise Unsuitable(f"'{value}' is too large for a whole number")
    return found


def as_unsigned(value: Value) -> Value:
    """What is below 0 is counted from 2^64 down.

    Raises:
        Unsuitable: it is no whole number, of which MySQL and MariaDB make different things.
    """
    if isinstance(value, (float, Exact)) and plain(value) < 0:
        raise Unsuitable("a number below 0 as UNSIGNED")
    found = as_integer(value)
    return Exact(Decimal(found + 2**64), 0) if isinstance(found, int) and found < 0 else found


def integral(value: str) -> str:
    """The whole number that a text begins with, or nothing."""
    start = value.lstrip()
    signed = start[:1] in ("+", "-")
    digits = start[signed:]
    length = next((place for place, one in enumerate(digits) if one not in _DIGITS), len(digits))
    return start[: signed + length] if length else ""


def checked_integer(value: Value) -> Value:
    """A value that a change makes whole.

    Raises:
        Unsuitable: it is a text with something else in it.
    """
    if isinstance(value, str) and (not integral(value) or integral(value) != value.strip()):
        raise Unsuitable(f"Truncated incorrect INTEGER value: '{value}'")
    return value


def checked_decimal(value: Value) -> Value:
    """A value that a change makes a decimal.

    Raises:
        Unsuitable: it is a text that is no number.
    """
    if isinstance(value, str) and (leading(value)[1] or not value.strip()):
        raise Unsuitable(f"Truncated incorrect DECIMAL value: '{value}'")
    return value


COMPARISONS: dict[str, Callable[..., Value]] = {
    "eq": equal,
    "neq": comparison(lambda found: found != 0),
    "lt": comparison(lambda found: found < 0),
    "lte": below,
    "gt": comparison(lambda found: found > 0),
    "gte": comparison(lambda found: found >= 0),
    "nullsafeeq": same,
    "between": between,
    "among": among,
    "true": true,
    "greatest": most(1),
    "least": most(-1),
    "field": field,
    "strcmp": strcmp,
    "as_text": as_text,
    "as_double": as_double,
    "as_decimal": as_decimal,
    "as_scale": as_scale,
    "as_integer": as_integer,
    "as_unsigned": as_unsigned,
    "checked_integer": checked_integer,
    "checked_decimal": checked_decimal,
}
"""What a statement calls, by name."""
