"""Command-line options that make a run short."""

from pathlib import Path


def arguments(folder: Path) -> list[str]:
    """Options of `train smoke` in `folder`; the series that is made needs none."""
    return ["--train.device", "cpu"]
