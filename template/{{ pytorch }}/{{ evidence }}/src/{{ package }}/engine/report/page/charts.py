"""Charts as SVG, drawn in the colours of the page that holds them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from .markup import element

WIDTH = 440
"""Units across every chart; the page scales it to a column."""
LEFT, RIGHT, BOTTOM = 52, 14, 26
MOST = 300
"""A line is thinned to this many pairs of points."""

Length = float | int
"""Units of the drawing."""
Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From values to units of the drawing."""

    low: float
    high: float
    start: Length
    end: Length

    @classmethod
    def around(cls, values: Sequence[float], start: Length, end: Length) -> "Scale":
        """A scale on which all of the values lie, with a little room at both ends."""
        low, high = min(values), max(values)
        room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
        return cls(low=low - room, high=high + room, start=start, end=end)

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Three to seven round values: multiples of 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= 0.7 * rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A value beside others: with an interval, it is the model's; without, a floor."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    ours: bool = False


def dots(marks: Sequence[Mark], description: str) -> Element:
    """A dot for each value, with its interval as a whisker, and the model's interval as a band through all rows."""
    row = 38
    height = row * len(marks) + BOTTOM + 4
    values = [value for mark in marks for value in (mark.value, *(mark.interval or ()))]
    x = Scale.around(values, 10, WIDTH - 10)
    parts = [vertical_grid(x, 4, height - BOTTOM)]
    for mark in marks:
        if mark.ours and mark.interval:
            low, high = map(x, mark.interval)
            parts.append([element("rect", class_="band", x=low, y=4, width=high - low, height=height - BOTTOM - 4)])
    for number, mark in enumerate(marks):
        parts.append(dot(mark, x, row * number + 4))
    return drawing(height, description, *parts)


def dot(mark: Mark, x: Scale, top: Length) -> list[Element]:
    """One row: the name, the value, and below them the dot with its whisker."""
    y, kind = top + 26, "ours" if mark.ours else "floor"
    parts = [text(10, top + 14, mark.name, kind), text(WIDTH - 10, top + 14, f"{mark.value:.3f}", kind, "end")]
    if mark.interval:
        low, high = map(x, mark.interval)
        path = f"M{low} {y}H{high}M{low} {y - 4}v8M{high} {y - 4}v8"
        parts.append(element("path", class_="whisker", d=path))
    return [*parts, element("circle", class_=kind, cx=x(mark.value), cy=y, r=5 if mark.ours else 4)]


def curve(points: Sequence[Point], told: str, *, end: Mark | None = None, floors: Sequence[Mark] = ()) -> Element:
    """A line over the steps, which `told` says in words; `end` is what was measured last, of all the examples.

    Floors are drawn where they do not lie farther off than the line is high: they would flatten it.
    """
    height = 230
    values = [value for _, value in points] + ([end.value, *(end.interval or ())] if end else [])
    reach = max(values) - min(values)
    near = [floor for floor in floors if min(values) - reach <= floor.value <= max(values) + reach]
    x = Scale.around([step for step, _ in points], LEFT, WIDTH - RIGHT)
    y = Scale.around(values + [floor.value for floor in near], height - BOTTOM, 14)
    path = "M" + "L".join(f"{x(step)} {y(value)}" for step, value in thinned(points))
    line = [element("path", class_="line", d=path)]
    last = whisker(end, x(points[-1][0]), y) if end else []
    return drawing(height, told, horizontal_grid(y), steps_axis(x, height), floor_levels(near, y), line, last)


def whisker(mark: Mark, x: float, y: Scale) -> list[Element]:
    """A dot with its interval, upright."""
    parts = []
    if mark.interval:
        low, high = map(y, mark.interval)
        parts.append(element("path", class_="whisker", d=f"M{x} {low}V{high}M{x - 4} {low}h8M{x - 4} {high}h8"))
    return [*parts, element("circle", class_="ours", cx=x, cy=y(mark.value), r=5)]


def floor_levels(floors: Sequence[Mark], y: Scale) -> list[Element]:
    """A dashed line for each floor with its name, at the left since curves near the floors at the right."""
    parts, last = [], -math.inf
    for floor in sorted(floors, key=lambda mark: y(mark.value)):
        level = y(floor.value)
        last = max(level - 4, last + 14)
        parts.append(element("path", class_="level", d=f"M{LEFT} {level}H{WIDTH - RIGHT}"))
        parts.append(text(LEFT + 4, last, floor.name, "floor"))
    return parts


def thinned(points: Sequence[Point]) -> list[Point]:
    """The points, or of each of `MOST` pieces the lowest and the highest, so that no spike is lost."""
    if len(points) <= 2 * MOST:
        return list(points)
    size = math.ceil(len(points) / MOST)
    kept = []
    for start in range(0, len(points), size):
        piece = points[start : start + size]
        ends = {min(piece, key=lambda point: point[1]), max(piece, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def reliability(bins: Sequence[tuple[float, float, float, int]], description: str) -> Element:
    """Accuracy against confidence, from (low, high, accuracy, count) of each bin that holds anything."""
    height = 300
    x = Scale(low=0.0, high=1.0, start=LEFT, end=WIDTH - RIGHT)
    y = Scale(low=0.0, high=1.0, start=height - BOTTOM, end=8)
    most = max(count for *_, count in bins)
    parts = [horizontal_grid(y)]
    for low, high, accuracy, count in bins:
        width = round(x(high) - x(low) - 1, 1)
        # The area of a bar would speak of nothing; how dark it is says how many examples stand behind it.
        shade = round(0.25 + 0.75 * math.sqrt(count / most), 2)
        bar = element("rect", class_="bar", x=x(low), y=y(accuracy), width=width, height=round(y(0.0) - y(accuracy), 1))
        bar.set("opacity", str(shade))
        parts.append([bar])
    parts.append([element("path", class_="level", d=f"M{x(0.0)} {y(0.0)}L{x(1.0)} {y(1.0)}")])
    parts.append([text(x(tick), height - 8, shown(tick), "tick", "middle") for tick in (0.0, 0.5, 1.0)])
    return drawing(height, description, *parts)


def vertical_grid(x: Scale, top: Length, bottom: Length) -> list[Element]:
    """Lines and figures of a horizontal axis."""
    parts = []
    for tick in x.ticks():
        parts.append(element("path", class_="grid", d=f"M{x(tick)} {top}V{bottom}"))
        parts.append(text(x(tick), bottom + 18, shown(tick), "tick", "middle"))
    return parts


def horizontal_grid(y: Scale) -> list[Element]:
    """Lines and figures of a vertical axis."""
    parts = []
    for tick in y.ticks():
        parts.append(element("path", class_="grid", d=f"M{LEFT} {y(tick)}H{WIDTH - RIGHT}"))
        parts.append(text(LEFT - 8, y(tick) + 4, shown(tick), "tick", "end"))
    return parts


def steps_axis(x: Scale, height: Length) -> list[Element]:
    """Figures of the steps, below a chart."""
    return [text(x(tick), height - 8, shown(tick), "tick", "middle") for tick in x.ticks() if tick >= 0]


def shown(value: float) -> str:
    """A number as it stands in a chart."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:g}"


def text(x: Length, y: Length, words: str, kind: str, anchor: str = "start") -> Element:
    """Words in a chart; `anchor` says which end of them lies at x."""
    return element("text", words, class_=kind, x=x, y=y, text_anchor=anchor)


def drawing(height: Length, description: str, *parts: list[Element]) -> Element:
    """A chart that says to those who cannot see it what it shows."""
    return element("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=description)
