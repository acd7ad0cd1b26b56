"""Command-line options that make a run short."""

from pathlib import Path


def arguments(folder: Path) -> list[str]:
    """Options of `train smoke` in `folder`; the puzzles are made there."""
    return ["--train.device", "cpu"]
