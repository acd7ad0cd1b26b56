"""The command `crossval`. Heavy imports stand inside, so that `--help` needs none of them."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ...presets import Config
from ..core.errors import Problem
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class Crossval:
    """Train on several divisions of the training and validation data, and say how much they agree."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    folds: int = 5
    """Parts, each of which is held out once."""
    repeats: int = 1
    """How often the data are divided anew."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..experiments.cross_validation import CrossValidation

        if self.folds < 2 or self.repeats < 1:
            raise Problem("--folds must be at least 2, and --repeats at least 1")
        validation = CrossValidation(self.config, self.folds, self.repeats)
        validation.run()
        print("\n".join(["", *validation.table()]))
