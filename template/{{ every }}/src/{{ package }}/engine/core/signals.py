"""Requests to stop, which are fulfilled between two steps."""

import signal
from types import FrameType
from typing import Any


class Signals:
    """Remembers that SIGTERM or Ctrl-C asked to stop; a second one ends the process at once."""

    def __init__(self) -> None:
        self.received = 0
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        for number in (signal.SIGTERM, signal.SIGINT):
            self.previous[number] = signal.signal(number, self.note)
        return self

    def note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self.previous[number])

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
