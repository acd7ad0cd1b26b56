"""How far something is: a bar on a terminal; elsewhere, as in a log file, a plain line now and then."""

import sys
import time

from rich.console import Console

SECONDS = 60.0
"""Between two lines."""


def drawn() -> bool:
    """Whether there is something that bars can be drawn on."""
    console = Console(stderr=True)
    return console.is_terminal or console.is_jupyter


class Lines:
    """Lines on stderr, of which most are left out: the first comes after a while."""

    def __init__(self) -> None:
        self.told = time.monotonic()

    def say(self, line: str) -> None:
        """Print a line if the last one is old."""
        now = time.monotonic()
        if now - self.told >= SECONDS:
            self.told = now
            print(line, file=sys.stderr, flush=True)
