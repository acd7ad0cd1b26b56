"""The regular grid that the rows of a series lie on: spans of time, days of the calendar, its months, or whole steps.

Places on a grid count from a series' first row. They are reckoned on an axis of int64: nanoseconds since 1970 of the
clock on the wall for days and months, whose length in hours varies, of UTC for spans of time, and steps as they are.
"""

import re
from typing import NamedTuple

import numpy as np

from ..core.errors import Problem

SECOND = 10**9
DAY = 86_400 * SECOND
SPANS = {
    "nanosecond": 1,
    "microsecond": 10**3,
    "millisecond": 10**6,
    "second": SECOND,
    "minute": 60 * SECOND,
    "hour": 3600 * SECOND,
}
SHORT = {"ns": "nanosecond", "us": "microsecond", "ms": "millisecond", "s": "second", "min": "minute", "h": "hour"}
SHORT |= {"d": "day", "w": "week", "y": "year", "business day": "working day"}
UNITS = "step, second, minute, hour, day, working day, week, month, quarter or year"
MONDAY = 4
"""The first Monday since 1970, in days."""


class Grid(NamedTuple):
    """What lies between two rows."""

    unit: str
    """step, span, day, weekday (Monday to Friday) or month."""
    size: int
    """How many of them; nanoseconds of a span."""
    ends: bool = False
    """Each row lies on the last day of its month."""

    @property
    def by_wall(self) -> bool:
        """Whether places are reckoned by the clock on the wall."""
        return self.unit in ("day", "weekday", "month")


def grid_of(text: str) -> Grid:
    """The grid that a text such as "15 minutes", "h" or "1 month" names.

    Raises:
        Problem: it names none.
    """
    number, unit = re.fullmatch(r"\s*(\d*)\s*(.*?)\s*", text.lower().replace(",", ""), re.DOTALL).groups()  # type: ignore[union-attr]
    unit = SHORT.get(unit, SHORT.get(unit.removesuffix("s"), unit.removesuffix("s")))
    size = int(number or 1)
    grids = {
        "step": Grid("step", size),
        "day": Grid("day", size),
        "working day": Grid("weekday", size),
        "week": Grid("day", 7 * size),
        "month": Grid("month", size),
        "quarter": Grid("month", 3 * size),
        "year": Grid("month", 12 * size),
    } | {name: Grid("span", span * size) for name, span in SPANS.items()}
    if unit not in grids or not 1 <= size < 10**6 or (unit == "working day" and size > 1):
        raise Problem(f"--data.freq {text} must be a number and {UNITS}, such as 15 minutes")
    return grids[unit]


def counted(count: int, unit: str) -> str:
    """A number of units: "1 hour", "15 minutes"."""
    return f"{count:,} {unit}{'s' * (count != 1)}"


def duration(span: int) -> str:
    """Nanoseconds in words, to three digits where they are no whole number of the largest unit."""
    units = SPANS | {"day": DAY}
    name = next((name for name, size in reversed(units.items()) if span >= size), "nanosecond")
    return counted(span // units[name], name) if span % units[name] == 0 else f"{span / units[name]:.3g} {name}s"


def told(grid: Grid) -> str:
    """A grid in the words that `grid_of` reads."""
    if grid.unit == "step":
        return "step" if grid.size == 1 else counted(grid.size, "step")
    if grid.unit == "span":
        name = next(name for name, size in reversed(SPANS.items()) if grid.size % size == 0)
        return counted(grid.size // SPANS[name], name)
    if grid.unit == "weekday":
        return "1 working day"
    whole, unit, many = (12, "year", "month") if grid.unit == "month" else (7, "week", "day")
    return counted(grid.size // whole, unit) if grid.size % whole == 0 else counted(grid.size, many)


def season_of(grid: Grid) -> int:
    """Rows of the shortest cycle that the calendar gives a grid: of an hour, a day, a week or a year; 1 for none."""
    if grid.unit == "span" and grid.size >= SECOND:
        cycle = DAY if grid.size >= 60 * SECOND else 3600 * SECOND
    else:
        cycle = {"day": 7, "weekday": 5, "month": 12}.get(grid.unit, 1)
    if grid == Grid("day", 7):
        return 52
    return cycle // grid.size if cycle % grid.size == 0 else 1


class Calendar(NamedTuple):
    """Days since 1970 and what is left of them, in parts."""

    days: np.ndarray
    rest: np.ndarray
    """Nanoseconds since midnight."""
    month: np.ndarray
    """Months since January 1970."""
    day: np.ndarray
    """Days since the first of the month."""
    last: np.ndarray
    """Days from the first of the month to its last."""


def calendar(at: np.ndarray) -> Calendar:
    """The parts of nanoseconds since 1970, by the clock on the wall."""
    days, rest = np.divmod(np.asarray(at, np.int64), DAY)
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return Calendar(days, rest, month, days - first_day(month), first_day(month + 1) - first_day(month) - 1)


def first_day(month: np.ndarray) -> np.ndarray:
    """The first day of a month, in days since 1970."""
    return month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def places(grid: Grid, at: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval that each stamp lies in, counted from its series' `first`, and whether it lies at its beginning."""
    if grid.unit in ("step", "span", "day"):
        size = grid.size * (DAY if grid.unit == "day" else 1)
        place, beyond = np.divmod(at - first, size)
        return place, beyond == 0
    now, then = calendar(at), calendar(first)
    if grid.unit == "weekday":
        begin, date = then.days.astype("datetime64[D]"), now.days.astype("datetime64[D]")
        place = np.busday_count(begin, date + 1).astype(np.int64) - 1
        working = np.is_busday(date)
        return place - (working & (now.rest < then.rest)), working & (now.rest == then.rest)
    place, beyond = np.divmod(now.month - then.month, grid.size)
    day = now.last if grid.ends else np.minimum(then.day, now.last)
    early = (now.day < day) | ((now.day == day) & (now.rest < then.rest))
    return place - (early & (beyond == 0)), (beyond == 0) & (now.day == day) & (now.rest == then.rest)


def stamps(grid: Grid, place: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Where each place begins, counted from its series' `first`: what `places` finds exact."""
    if grid.unit in ("step", "span", "day"):
        return first + place * (grid.size * (DAY if grid.unit == "day" else 1))
    then = calendar(first)
    if grid.unit == "weekday":
        date = np.busday_offset(then.days.astype("datetime64[D]"), place, roll="backward")
        return date.astype(np.int64) * DAY + then.rest
    month = then.month + place * grid.size
    last = first_day(month + 1) - first_day(month) - 1
    day = last if grid.ends else np.minimum(then.day, last)
    return (first_day(month) + day) * DAY + then.rest


def beginning(grid: Grid, at: int, wall: int) -> int:
    """Where the interval of a stamp begins, as people draw them: a full hour, midnight, a Monday, a month's first.

    `at` is the stamp on the grid's axis, `wall` by the clock on the wall.
    """
    if grid.unit in ("step", "span"):
        return at - wall % grid.size
    days = at // DAY
    if grid.unit == "month":
        month = int(calendar(np.array([at])).month[0])
        days = int(first_day(np.array([month - month % grid.size]))[0])
    elif grid.unit == "weekday":
        days = int(np.busday_offset(np.datetime64(days, "D"), 0, roll="backward").astype(np.int64))
    elif grid.size % 7 == 0:
        days -= (days - MONDAY) % 7
    return days * DAY
