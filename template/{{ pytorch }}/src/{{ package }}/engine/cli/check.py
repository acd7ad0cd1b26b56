"""The command `check`."""

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from ... import budgets as owned
from ...presets import PRESETS, Config
from ..core.errors import Problem
from .common import Preset

if TYPE_CHECKING:
    from ..profiling.budgets import Budgets


@dataclass(frozen=True, kw_only=True)
class Check:
    """Confirm the architecture's sanity before a long training, and the budgets."""

    preset: Preset = "smoke"
    """The configuration to check; the budgets are those of `full`."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..profiling import budgets
        from ..training.device import choose
        from ..training.sanity import run
        from ..training.seeding import be_deterministic

        be_deterministic()
        train, failed = self.config.train, 0
        findings = chain(
            run(self.config, choose(train.device, "fp32")),
            budgets.check(PRESETS["full"](), allowed(), choose(train.device, train.precision)),
        )
        for finding in findings:
            print(f"{'ok' if finding.passed else 'FAILED':8}{finding.name:28}{finding.what}", flush=True)
            failed += not finding.passed
        if failed:
            raise Problem(f"{failed} checks failed")


def allowed() -> "Budgets":
    """What the preset `full` may cost."""
    from ..profiling.budgets import Budgets

    return Budgets(owned.PARAMETERS, owned.VRAM_GB, owned.LATENCY_MS)
