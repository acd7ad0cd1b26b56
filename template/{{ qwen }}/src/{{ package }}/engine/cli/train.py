"""The command `train`."""

import sys
from dataclasses import dataclass
from typing import Annotated, ClassVar

from tyro.conf import arg

from ...presets import Config, agent_task, trainer
from .common import Preset
from .memory import show_memory
from .report import report


@dataclass(frozen=True, kw_only=True)
class Train:
    """Fine-tune the model, play the validation tasks before and after, and report."""

    may_change: ClassVar[tuple[str, ...]] = ()
    """The fields that a resumed run may have otherwise."""
    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    resume: bool = False
    """Continue the latest run, bit for bit, from its last checkpoint."""
    run: str | None = None
    """With --resume: continue this run folder instead."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..core.runs import find
        from ..finetuning.session import opened
        from ..finetuning.training import train

        show_memory(self.config)
        task = agent_task()
        with opened(self.config, task, find(self.run) if self.resume else None) as run:
            train(self.config, task, run, trainer)
            print("playing the validation tasks before and after the training", file=sys.stderr)
            report(run, self.config)
