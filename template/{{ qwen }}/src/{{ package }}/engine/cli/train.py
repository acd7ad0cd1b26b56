"""The command `train`."""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

from tyro.conf import arg

from ...presets import Config, agent_task, trainer
from .common import Preset, RunOptions
from .memory import show_memory
from .report import report


@dataclass(frozen=True, kw_only=True)
class Train(RunOptions):
    """Fine-tune the model, play the validation tasks before and after, and report."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..core.runs import find
        from ..finetuning.checkpoints import go_back
        from ..finetuning.session import CHECKPOINTS, model_of, opened, start_from
        from ..finetuning.training import train

        config, task, also = self.config, agent_task(), self.labels
        if self.init:
            start = find(self.init)
            config = replace(config, model=replace(config.model, base=str(model_of(start))))
            also |= start_from(start, config, task)
        show_memory(config)
        with opened(config, task, find(self.run) if self.resume else None, also) as run:
            if self.from_step is not None:
                go_back(run / CHECKPOINTS, self.from_step)
            train(config, task, run, trainer)
            print("playing the validation tasks before and after the training", file=sys.stderr)
            report(run, config)
