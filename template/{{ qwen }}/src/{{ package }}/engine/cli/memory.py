"""The command `memory`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from ...presets import GPU, Config
from .common import Preset, show_memory


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
