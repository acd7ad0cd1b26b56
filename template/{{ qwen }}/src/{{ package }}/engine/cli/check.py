"""The command `check`."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ...presets import Config, agent_task
from ..core.errors import Problem
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class Check:
    """Confirm before a long training that the data can be learned from, and that tasks are won, but not by chance."""

    preset: Preset = "smoke"
    """The configuration to check."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..finetuning.sanity import run

        failed = 0
        for finding in run(self.config, agent_task()):
            print(f"{'ok' if finding.passed else 'FAILED':8}{finding.name:28}{finding.what}", flush=True)
            failed += not finding.passed
        if failed:
            raise Problem(f"{failed} checks failed")
