"""MySQL's arithmetic: operators and functions of numbers, on the values of `values.py`. NULL makes NULL of all.

A text counts as the number that it begins with, and dividing by 0 gives NULL. A statement that changes a table is not
allowed either: `checked` and `divisor` see to that.
"""

import math
import operator
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext

from .values import (
    PLACES,
    SMALLEST,
    Exact,
    Unsuitable,
    Value,
    double,
    exact,
    fitted,
    leading,
    number,
    plain,
    quotient,
)

_CONTEXT = Context(prec=65)
"""As many digits as MySQL's decimals have."""


def checked(value: Value, empty: Value = 0) -> Value:
    """A value that stands for a number in a change; in a column it may be empty.

    Raises:
        Unsuitable: it is a text that is none.
    """
    if isinstance(value, str) and (leading(value)[1] or not (value.strip() or empty)):
        raise Unsuitable(f"Truncated incorrect DOUBLE value: '{value}'")
    return value


def divisor(value: Value) -> Value:
    """A value by which a change divides.

    Raises:
        Unsuitable: it is 0.
    """
    if value is not None and not plain(number(checked(value))):
        raise Unsuitable("Division by 0")
    return value


def positive(value: Value) -> Value:
    """A value of which a change takes the logarithm.

    Raises:
        Unsuitable: it has none.
    """
    if value is not None and plain(number(value)) <= 0:
        raise Unsuitable("Invalid argument for logarithm")
    return value


def counted(one: Value, other: Value, count: Callable[..., int | float | Decimal], scale: Callable[..., int]) -> Value:
    """What an operator makes of two numbers: a double if one is, else a decimal if one is, else a whole number."""
    if one is None or other is None:
        return None
    left, right = number(one), number(other)
    if isinstance(left, float) or isinstance(right, float):
        return finite(float(count(double(left), double(right))))
    if isinstance(left, int) and isinstance(right, int):
        return whole(int(count(left, right)))
    first, second = exact(left), exact(right)
    with localcontext(_CONTEXT):
        result = Decimal(count(first.value, second.value))
        return Exact(result or abs(result), min(scale(first.scale, second.scale), PLACES))


def finite(value: float) -> float:
    """A double that is none of the infinities.

    Raises:
        Unsuitable: it is.
    """
    if not math.isfinite(value):
        raise Unsuitable("DOUBLE value is out of range")
    return value


def whole(value: int) -> int:
    """A whole number that MySQL can hold.

    Raises:
        Unsuitable: it cannot.
    """
    if not SMALLEST <= value < 2**63:
        raise Unsuitable("BIGINT value is out of range")
    return value


def integer(value: Value) -> int:
    """A place or a count that is not NULL."""
    found = number(value)
    return round(found) if isinstance(found, float) else int(fitted(exact(found), 0).value)


def add(one: Value, other: Value) -> Value:
    """+."""
    return counted(one, other, plus, max)


def plus(one: int | float | Decimal, other: int | float | Decimal) -> int | float | Decimal:
    """A sum. Of decimals that cancel each other a 0 without places is left."""
    result: int | float | Decimal = operator.add(one, other)
    return Decimal(0) if isinstance(result, Decimal) and one and not result else result


def sub(one: Value, other: Value) -> Value:
    """-."""
    return counted(one, other, minus, max)


def minus(one: int | float | Decimal, other: int | float | Decimal) -> int | float | Decimal:
    """A difference. Of equal decimals it is a 0 without places."""
    result: int | float | Decimal = operator.sub(one, other)
    return Decimal(0) if isinstance(result, Decimal) and not result else result


def mul(one: Value, other: Value) -> Value:
    """*."""
    return counted(one, other, operator.mul, operator.add)


def neg(value: Value) -> Value:
    """-, of one number."""
    return mul(-1, value)


def div(one: Value, other: Value) -> Value:
    """/."""
    if one is None or other is None:
        return None
    left, right = number(one), number(other)
    if not plain(right):
        return None
    if isinstance(left, float) or isinstance(right, float):
        return finite(double(left) / double(right))
    return quotient(exact(left), exact(right))


def intdiv(one: Value, other: Value) -> Value:
    """DIV."""
    if one is None or other is None:
        return None
    left, right = (Decimal(str(plain(number(value)))) for value in (one, other))
    with localcontext(_CONTEXT):
        return whole(int((left / right).to_integral_value(ROUND_DOWN))) if right else None


def mod(one: Value, other: Value) -> Value:
    """The rest has the sign of the dividend."""
    if one is None or other is None or not plain(number(other)):
        return None
    return counted(one, other, remainder, max)


def remainder(one: int | float | Decimal, other: int | float | Decimal) -> int | float | Decimal:
    """What is left of two numbers of one kind."""
    if isinstance(one, float):
        return math.fmod(one, other)
    return Decimal(one) % Decimal(other) if one else Decimal(0)


def absolute(value: Value) -> Value:
    """ABS."""
    if value is None:
        return None
    return neg(value) if plain(number(value)) < 0 else add(value, 0)


def sign(value: Value) -> Value:
    """SIGN."""
    if value is None:
        return None
    found = plain(number(value))
    return (found > 0) - (found < 0)


def ceil(value: Value) -> Value:
    """CEIL."""
    return integral(value, ROUND_CEILING, math.ceil)


def floor(value: Value) -> Value:
    """FLOOR."""
    return integral(value, ROUND_FLOOR, math.floor)


def integral(value: Value, mode: str, near: Callable[[float], int]) -> Value:
    """A number without places: a double remains one."""
    if value is None:
        return None
    found = number(value)
    return float(near(found)) if isinstance(found, float) else int(fitted(exact(found), 0, mode).value)


def fixed(value: Value, scale: Value) -> Value:
    """A double as a text with so many places."""
    assert isinstance(scale, int), "the translation writes it"
    if not isinstance(value, float):
        return value
    written = f"{value:.{scale}f}"
    return written.removeprefix("-") if not float(written) else written


def round_(value: Value, digits: Value = 0) -> Value:
    """Halves of decimals go away from 0, those of doubles to the even neighbour."""
    return cut(value, digits, ROUND_HALF_UP, round)


def truncate(value: Value, digits: Value) -> Value:
    """TRUNCATE."""
    return cut(value, digits, ROUND_DOWN, math.trunc)


def cut(value: Value, digits: Value, mode: str, near: Callable[[float], int]) -> Value:
    """A number with so many places; before the point where they are negative."""
    if value is None or digits is None:
        return None
    found, scale = number(value), max(-PLACES, min(PLACES, integer(digits)))
    if isinstance(found, float):
        factor = 10.0 ** abs(scale)
        moved = found * factor if scale >= 0 else found / factor
        if abs(moved) >= 2**53:
            return found
        return float(near(moved)) / factor if scale >= 0 else float(near(moved)) * factor
    if isinstance(found, int):
        return found if scale >= 0 else whole(int(fitted(exact(found), scale, mode).value))
    return fitted(found, scale, mode)


def real(function: Callable[..., float]) -> Callable[..., Value]:
    """A function of doubles; NULL where it is not defined."""

    def called(*values: Value) -> Value:
        if None in values:
            return None
        try:
            return finite(float(function(*(double(number(value)) for value in values))))
        except (ValueError, ZeroDivisionError):
            if function is math.pow:
                raise Unsuitable("DOUBLE value is out of range") from None
            return None
        except OverflowError:
            raise Unsuitable("DOUBLE value is out of range") from None

    return called


def logarithm(base: float, value: float) -> float:
    """Of a base."""
    return math.log10(value) if base == 10 else math.log(value) / math.log(base)


ARITHMETIC: dict[str, Callable[..., Value]] = {
    "checked": checked,
    "divisor": divisor,
    "positive": positive,
    "add": add,
    "sub": sub,
    "mul": mul,
    "neg": neg,
    "div": div,
    "intdiv": intdiv,
    "mod": mod,
    "abs": absolute,
    "sign": sign,
    "ceil": ceil,
    "floor": floor,
    "fixed": fixed,
    "round": round_,
    "trunc": truncate,
    "sqrt": real(math.sqrt),
    "exp": real(math.exp),
    "ln": real(math.log),
    "log": real(logarithm),
    "pow": real(math.pow),
}
"""What a statement calls, by name."""
