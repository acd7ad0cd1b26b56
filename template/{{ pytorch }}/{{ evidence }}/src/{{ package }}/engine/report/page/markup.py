"""HTML as a tree. What is put into it is text, whatever it holds, so there is no escaping that could be forgotten."""

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Part = Element | str | None
"""What an element may hold; None is nothing."""
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
"""Control characters, halves of characters, and marks that change the direction of writing and so hide what is said."""
LINES = {"section", "table", "tr", "figure", "svg", "div", "li", "p", "h1", "h2", "h3", "meta", "details", "dt", "nav"}
"""Elements that begin a line of the file; white space around them means nothing."""


def element(tag: str, *parts: Part | Iterable[Part], **attributes: object) -> Element:
    """An element; `class_` and `aria_label` are the attributes class and aria-label, and None leaves one out."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), printable(str(value)))
    for part in parts:
        append(made, part)
    if tag in LINES:
        made.tail = "\n"
    return made


def append(parent: Element, part: Part | Iterable[Part]) -> None:
    """Put an element, a text, or several of them behind what an element holds."""
    if isinstance(part, Element):
        parent.append(part)
    elif isinstance(part, str):
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + printable(part)
        else:
            parent.text = (parent.text or "") + printable(part)
    elif part is not None:
        for one in part:
            append(parent, one)


def printable(text: str) -> str:
    """The text with a replacement character for each that HTML forbids or that would mislead."""
    return UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


def document(root: Element) -> str:
    """The page as text."""
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"
