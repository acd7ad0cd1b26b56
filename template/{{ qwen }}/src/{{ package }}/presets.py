"""The presets to start from, and the parts of this project that the engine is given.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --train.steps 16`), and the result is saved with the run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .config import ADAPTER, BASE, LENGTH, PACKING
from .config import GPU as GPU
from .config import Config as Config
from .engine.config import TINY, DataConfig, ModelConfig, TrainConfig

if TYPE_CHECKING:
    from transformers import Trainer

    from .engine.finetuning.preparation import Prepared
    from .engine.task import AgentTask


def smoke() -> Config:
    """A minute or two on a CPU: a tiny random model takes the same path, and learns little."""
    return Config(
        preset="smoke",
        data=DataConfig(train=16, validation=6, test=6),
        model=ModelConfig(base=tiny_of(BASE), adapter="full"),
        train=TrainConfig(
            steps=8,
            batch=4,
            length=LENGTH,
            packing=False,  # a row of the longest length takes a CPU longer than all that would lie in it
            learning_rate=3e-3,
            activation_checkpointing=False,
            precision="fp32",
            validate_every=4,
            save_every=4,
            episodes=2,
            tokens=32,
        ),
    )


def default() -> Config:
    """The chosen base on the chosen GPU."""
    return Config(
        preset="default",
        data=DataConfig(train=1000, validation=132, test=264),
        model=ModelConfig(base=BASE, adapter=ADAPTER),
        train=TrainConfig(
            batch=4 if PACKING else 16,
            length=LENGTH,
            packing=PACKING,
            learning_rate=1e-5 if ADAPTER == "full" else 1e-4,
            validate_every=25,
            save_every=25,
            episodes=24,
        ),
    )


def tiny_of(base: str) -> str:
    """The random model of a base's architecture."""
    return TINY["qwen3" in base.lower()]


PRESETS: dict[str, Callable[[], Config]] = {"smoke": smoke, "default": default}


# The two functions below import when they are called: `--help` should not wait for PyTorch and the environment.


def agent_task() -> "AgentTask":
    """The tasks, the expert, the protocols and the environment."""
    from .tasks import AGENT_TASK

    return AGENT_TASK


def trainer(config: Config, run: Path, prepared: "Prepared", first: bool) -> "Trainer":
    """The trainer of a run; `first` measures the validation split before the first step too."""
    from .sft import build

    return build(config, run, prepared, first)
