"""What several commands ask for: a preset, or a run."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ...presets import PRESETS, Config
from ..core.errors import Problem

Preset = Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")]


def opened(run: str | None) -> tuple[Path, Config]:
    """The run folder that is meant, the latest where none is named, and the configuration that it was started with.

    Raises:
        Problem: there is none, or it is another project's: its data, their lock and the ledger lie there.
    """
    from ..core.runs import RUNS, find, load_config

    folder = find(run)
    home = folder.resolve().parent
    if home.name == RUNS.name and home.parent != Path.cwd() and (home.parent / "pyproject.toml").is_file():
        raise Problem(f"{folder} belongs to the project in {home.parent}: go there (cd {home.parent}), and try again")
    return folder, load_config(folder, Config)
