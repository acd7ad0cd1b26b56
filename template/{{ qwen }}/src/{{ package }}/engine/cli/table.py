"""The commands: the word that is typed, and what is then filled with its options and called."""

from typing import Any

from .commands import Check, Data, Evaluate, Memory, Play, Report, Train

COMMANDS: dict[str, Any] = {
    "train": Train,
    "evaluate": Evaluate,
    "report": Report,
    "play": Play,
    "data": Data,
    "memory": Memory,
    "check": Check,
}
