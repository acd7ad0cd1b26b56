"""The model of a finished run, ready for use."""

from pathlib import Path
from typing import TypeVar

from torch import nn

from ..core.runs import find, load_config
from ..task import Config, LoadsAssets
from .checkpoint import load_weights, weights_of
from .device import choose_for_use

C = TypeVar("C")


def load_run(run: str | Path | None, kind: type[C]) -> tuple[Path, C, nn.Module]:
    """A finished run's folder, configuration of type `kind`, and model; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder = find(str(run) if run else None)
    config = load_config(folder, kind)
    assert isinstance(config, Config)
    return folder, config, load_trained(folder, config)


def load_trained(run: Path, config: Config) -> nn.Module:
    """The model of a finished run, on the device that it was trained on where that is there.

    Raises:
        Problem: the run has not finished.
    """
    task = config.task()
    if isinstance(task, LoadsAssets):
        task.load_assets(run)
    model = task.model()
    load_weights(model, weights_of(run))
    return model.to(choose_for_use(config.train).torch_device).eval()
