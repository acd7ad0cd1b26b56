"""The command `sweep`. Heavy imports stand inside, so that `--help` needs none of them."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ...presets import Config
from ..core.errors import Problem
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Search for a good configuration with Optuna; search.py says where."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    trials: int = 20
    """Trials of the study in all; those that it has already count."""
    study: str | None = None
    """The name of the study, to go on with it or to begin another; without it, the preset's."""
    storage: str | None = None
    """A database for several machines, such as postgresql://host/name; without it, SQLite in sweeps/."""
    confirm: int = 3
    """New seeds with which the best trial is trained at the end; 0 leaves that out."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ...search import search
        from ..experiments.sweep import Sweep

        if self.trials < 1 or self.confirm < 0:
            raise Problem("--trials must be at least 1, and --confirm at least 0")
        with Sweep(self.study or self.preset, self.config, search, self.storage) as sweep:
            sweep.run(self.trials)
            print("\n".join(["", *sweep.table(), "", sweep.caution(self.confirm), f"\nplots: {sweep.plot()}"]))
