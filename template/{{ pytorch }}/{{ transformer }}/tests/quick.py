"""Command-line options that make a run short, on text that this machine has."""

from pathlib import Path

import texts


def arguments(folder: Path) -> list[str]:
    """Options of `train smoke` for a few seconds; the text is put into `folder`."""
    return ["--data.path", str(texts.put_into(folder)), "--train.device", "cpu"]
