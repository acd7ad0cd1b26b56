"""JSON that a model wrote, after a look at its size and depth: a deep text can end the program that reads it."""

import json
from typing import Any


class TooLarge(ValueError):
    """A text that is too long or too deep to be read."""


def value(text: str, longest: int, deepest: int) -> Any:
    """What a JSON text of at most so many characters, and brackets inside brackets, says.

    Raises:
        TooLarge: it has more.
        ValueError: it is no JSON.
    """
    if not within(text, longest, deepest):
        raise TooLarge
    return json.loads(text)


def within(text: str, longest: int, deepest: int) -> bool:
    """Whether a text is small enough to be read."""
    return len(text) <= longest and depth(text) <= deepest


def depth(text: str) -> int:
    """How many brackets are open at most, those inside of quotes too."""
    deepest = current = 0
    for character in text:
        current += (character in "[{") - (character in "]}")
        deepest = max(deepest, current)
    return deepest
