"""What several commands ask for: a preset, or a run."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ...presets import PRESETS, Config

Preset = Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")]


def opened(run: str | None) -> tuple[Path, Config]:
    """The run folder that is meant, the latest where none is named, and the configuration that it was started with."""
    from ..core.runs import find, load_config

    folder = find(run)
    return folder, load_config(folder, Config)
