"""The command `memory`."""

import sys
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from ...presets import GPU, Config
from ..config import TINY
from .common import Preset


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Estimate the GPU memory of a training, without a GPU and without weights."""

    preset: Preset = "default"
    """The configuration to estimate; the options below override it."""
    gpu: Literal["T4", "L4", "A100-40", "A100-80", "H100", "chosen"] = "chosen"
    """The GPU to compare with; the one that was chosen when this project was made."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        show_memory(self.config, GPU if self.gpu == "chosen" else self.gpu)


def show_memory(config: Config, gpu: str = GPU) -> None:
    """Print what a training takes of a GPU; of a tiny model, that it fits."""
    from ..memory.fit import Fitting, Setup, lines
    from ..models.architectures import architecture

    if config.model.base in TINY:
        print(f"{config.model.base} is made on the spot and fits anywhere", file=sys.stderr)
        return
    setup = Setup(config.model, config.train, gpu)
    for line in lines(Fitting(architecture(config.model.base)), setup):
        print(line, file=sys.stderr)
