"""The command `learning-curve`. Heavy imports stand inside, so that `--help` needs none of them."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ...presets import Config
from ..core.errors import Problem
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """Train on ever larger parts of the training data, and say what more of them would be worth."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    points: int = 5
    """Sizes: all of the training data, a half of them, a quarter, and so on."""
    seeds: int = 3
    """Trainings on each size, with as many seeds, each of which chooses parts of its own."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..experiments.learning_curve import Curve

        if self.points < 2 or self.seeds < 1:
            raise Problem("--points must be at least 2, and --seeds at least 1")
        curve = Curve(self.config, self.points, self.seeds)
        curve.run()
        print("\n".join(["", *curve.table(), "", f"{curve.write()}: the figures, and a picture beside them"]))
