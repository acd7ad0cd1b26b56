"""What several commands ask for: a preset, or a run."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from ...presets import PRESETS, Config
from ..core.errors import Problem

Preset = Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Which run is trained: a new one, or one that was started before."""

    may_change: ClassVar[tuple[str, ...]] = ("train.steps",)
    """The fields that a resumed run may have otherwise."""
    resume: bool = False
    """Resume the latest run, bit for bit, from its last checkpoint. With more --train.steps, it is trained longer."""
    run: str | None = None
    """With --resume: this run folder instead."""
    from_step: Annotated[int | None, arg(name="from")] = None
    """With --resume: go back to the checkpoint of this step, and drop those after it."""
    init: str | None = None
    """Start a new run from the weights of this finished one."""
    name: str | None = None
    """What to call a new run, such as wider-2: its folder, the tracker, the results and the model card show it."""
    tags: tuple[str, ...] = ()
    """Words to find it by, shown beside its name."""

    def __post_init__(self) -> None:
        if self.name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", self.name):
            raise Problem(f"--name {self.name}: up to 60 letters, digits, dots, hyphens and underscores")
        if self.resume and (self.name or self.tags):
            raise Problem("--name and --tags go with a new run: a resumed one keeps its own")
        if self.from_step is not None and not self.resume:
            raise Problem("--from goes with --resume: a new run starts at step 0")
        if self.resume and self.init:
            raise Problem("--init goes with a new run: a resumed one keeps the weights that it started from")

    @property
    def labels(self) -> dict[str, object]:
        """What a new run is called, for its environment.json."""
        return {"name": self.name, "tags": list(self.tags)}


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
