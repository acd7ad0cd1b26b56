"""What every section is built of: headings, charts, tables and figures."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from .markup import Part, element

UNITS = {"ms": "ms", "gb": "GB"}


def section(name: str, title: str, *parts: Part | Sequence[Part]) -> Element:
    """A part of the page with its heading."""
    return element("section", element("h2", title), *parts, id=name)


def drawn(chart: Element, caption: str) -> Element:
    """A chart with what it shows below it."""
    return element("figure", chart, element("figcaption", caption), class_="chart")


def columns(*parts: Part) -> Element:
    """Side by side where there is room, else one below the other."""
    return element("div", parts, class_="columns")


def note(words: str) -> Element:
    """A remark."""
    return element("p", words, class_="note")


def folded(title: str, inside: Element) -> Element:
    """Something that is shown when it is asked for."""
    return element("details", element("summary", title), inside)


def pairs(facts: Mapping[str, Part]) -> Element:
    """Names and values; what is not known is left out."""
    known = {name: value for name, value in facts.items() if value is not None}
    return element("dl", [element("div", element("dt", name), element("dd", value)) for name, value in known.items()])


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Part]], kind: str | None = None) -> Element:
    """A table whose rows begin with their name; wider than the screen, it scrolls by itself."""
    top = element("tr", [element("th", name, scope="col") if name else element("td") for name in head])
    body = [[element("th", row[0], scope="row"), *(element("td", part) for part in row[1:])] for row in rows]
    parts = [element("thead", top), element("tbody", [element("tr", row) for row in body])]
    made = element("table", element("caption", caption), parts, class_=kind)
    return element("div", made, class_="scroll", role="region", aria_label=caption, tabindex=0)


def figure(value: float | None) -> Element:
    """A measured number: three decimals for people, all of them for machines."""
    if value is None:
        return element("span", "none", class_="missing")
    return element("data", f"{value:.3f}" if abs(value) < 1000 else f"{value:,.1f}", value=repr(value))


def number(count: int | None) -> Part:
    """A count."""
    return None if count is None else element("data", f"{count:,}", value=count)


def cell(value: Any) -> Part:
    """A value of a file, as a table shows it."""
    if value is None:
        return element("span", "not measured", class_="missing")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return element("data", f"{value:,.6g}", value=repr(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def duration(seconds: float) -> str:
    """A time span in the two units that matter."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def spaced(name: str) -> str:
    """A name of the code as words, with its unit behind a comma."""
    return re.sub(r" (ms|gb)$", lambda unit: ", " + UNITS[unit[1]], name.replace("_", " "))


def sentence_case(name: str) -> str:
    """A name of the code at the beginning of a sentence."""
    words = spaced(name)
    return words[:1].upper() + words[1:]


def data_uri(png: bytes) -> str:
    """An image inside the page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
