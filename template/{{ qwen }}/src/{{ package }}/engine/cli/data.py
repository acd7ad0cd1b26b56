"""The command `data`."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from ...presets import Config, agent_task
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class Data:
    """Make the trajectories that are trained on, and show their lengths and what of them is supervised."""

    preset: Preset = "default"
    """The configuration whose data are made."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..finetuning.preparation import prepare

        print(f"data: {prepare(self.config, agent_task()).data.digest}")
