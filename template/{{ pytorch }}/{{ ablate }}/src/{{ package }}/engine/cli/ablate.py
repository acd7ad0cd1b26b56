"""The command `ablate`. Heavy imports stand inside, so that `--help` needs none of them."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ...presets import Config
from ..core.errors import Problem
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class Ablate:
    """Train without one part at a time, and compare; ablations.py says which parts."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    seeds: int = 3
    """Trainings of each variant, with as many seeds."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ...ablations import ABLATIONS
        from ..experiments.ablation import Ablation

        if self.seeds < 1:
            raise Problem("--seeds must be at least 1")
        ablation = Ablation(self.config, ABLATIONS, self.seeds)
        ablation.run()
        print("\n".join(["", *ablation.table()]))
