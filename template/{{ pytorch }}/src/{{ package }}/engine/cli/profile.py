"""The command `profile`."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ...presets import Config
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Measure a preset's speed, memory and utilisation on this machine, and say what bounds it."""

    preset: Preset = "default"
    """The configuration to measure; the options below override it."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..profiling.profile import run
        from ..training.device import choose
        from ..training.seeding import be_deterministic

        be_deterministic()
        for line in run(self.config, choose(self.config.train.device, self.config.train.precision)):
            print(line)
