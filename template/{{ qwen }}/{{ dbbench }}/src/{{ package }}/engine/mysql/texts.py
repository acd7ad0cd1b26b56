"""MySQL's functions of texts, on the values of `values.py`. NULL makes NULL of all but CONCAT_WS."""

from collections.abc import Callable

from .arithmetic import integer
from .values import Unsuitable, Value, folded, text

LONGEST = 50_000
"""Characters of a text."""


def strings(function: Callable[..., Value]) -> Callable[..., Value]:
    """A function that is given texts alone, and is not asked where one is NULL."""

    def called(*values: Value) -> Value:
        return None if None in values else function(*map(text, values))

    return called


def places(function: Callable[..., Value]) -> Callable[..., Value]:
    """A function that is given a text, and then whole numbers."""

    def called(value: Value, *others: Value) -> Value:
        if value is None or None in others:
            return None
        return function(text(value), *map(integer, others))

    return called


def concat(*values: str) -> str:
    """CONCAT."""
    return "".join(values)


def concat_ws(separator: Value, *values: Value) -> Value:
    """NULLs are left out."""
    if separator is None:
        return None
    return text(separator).join(text(value) for value in values if value is not None)


def substring(value: str, start: int, length: int | None = None) -> str:
    """From a place, counted from 1, or from -1 backwards."""
    first = start - 1 if start > 0 else len(value) + start
    if not start or first < 0 or (length is not None and length <= 0):
        return ""
    return value[first:] if length is None else value[first : first + length]


def locate(value: Value, part: Value, start: Value = 1) -> Value:
    """Where a part first stands, counted from 1; 0 if nowhere.

    Case makes no difference, and accents make none between letters of as many bytes.
    """
    if value is None or part is None or start is None:
        return None
    whole, wanted = text(value), text(part)
    searched, found, size = folded(whole), integer(start) - 2, len(wanted.encode())
    while found >= -1:
        found = searched.find(folded(wanted), found + 1)
        if found < 0 or len(whole[found : found + len(wanted)].encode()) == size:
            return found + 1
    return 0


def substring_index(value: Value, separator: Value, count: Value) -> Value:
    """What stands before the so-manieth separator, or with a negative count behind it from the end."""
    if value is None or separator is None or count is None:
        return None
    between, number = text(separator), integer(count)
    parts = text(value).split(between) if between else []
    return between.join(parts[:number] if number > 0 else parts[number:] if number else [])


def pad(left: bool) -> Callable[[Value, Value, Value], Value]:
    """LPAD and RPAD."""

    def called(value: Value, length: Value, filling: Value) -> Value:
        if value is None or length is None or filling is None:
            return None
        whole, number, fill = text(value), integer(length), text(filling)
        missing = number - len(whole)
        if number < 0 or number > LONGEST or (missing > 0 and not fill):
            return None
        filled = (fill * missing)[: max(missing, 0)]
        return (filled + whole if left else whole + filled)[:number] if missing > 0 else whole[:number]

    return called


def repeat(value: str, count: int) -> str:
    """REPEAT."""
    if len(value) * count > LONGEST:
        raise Unsuitable(f"a text has at most {LONGEST} characters")
    return value * count


def trim(left: bool, right: bool) -> Callable[..., str]:
    """TRIM, LTRIM and RTRIM take spaces away, and no other white space, or repetitions of a text."""

    def called(value: str, part: str = " ") -> str:
        while left and part and value.startswith(part):
            value = value[len(part) :]
        while right and part and value.endswith(part):
            value = value[: -len(part)]
        return value

    return called


def replace(value: str, old: str, new: str) -> str:
    """Here case matters."""
    if old and len(value) + value.count(old) * (len(new) - len(old)) > LONGEST:
        raise Unsuitable(f"a text has at most {LONGEST} characters")
    return value.replace(old, new) if old else value


TEXTS: dict[str, Callable[..., Value]] = {
    "concat": strings(concat),
    "concat_ws": concat_ws,
    "upper": strings(str.upper),
    "lower": strings(str.lower),
    "length": strings(lambda value: len(value.encode())),
    "char_length": strings(len),
    "substring": places(substring),
    "left": places(lambda value, count: value[: max(count, 0)]),
    "right": places(lambda value, count: value[-count:] if count > 0 else ""),
    "locate": locate,
    "substring_index": substring_index,
    "reverse": strings(lambda value: value[::-1]),
    "repeat": places(repeat),
    "lpad": pad(True),
    "rpad": pad(False),
    "trim": strings(trim(True, True)),
    "ltrim": strings(trim(True, False)),
    "rtrim": strings(trim(False, True)),
    "replace": strings(replace),
    "folded": strings(folded),
}
"""What a statement calls, by name."""
