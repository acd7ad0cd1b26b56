"""The command `check`."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ...presets import PRESETS, Config
from ..core.errors import Problem
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class Check:
    """Confirm the architecture's sanity before a long training, and the budgets."""

    preset: Preset = "smoke"
    """The configuration to check; the budgets are those of `full`."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..training.sanity import run
        from ..training.device import choose
        from ..training.seeding import be_deterministic

        be_deterministic()
        failed = 0
        for finding in run(self.config, choose(self.config.train.device, "fp32")):
            print(f"{'ok' if finding.passed else 'FAILED':8}{finding.name:28}{finding.what}", flush=True)
            failed += not finding.passed
        if failed:
            raise Problem(f"{failed} checks failed")
