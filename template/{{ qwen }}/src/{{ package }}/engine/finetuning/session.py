"""One training in one run folder: begun or gone on with, and kept from every other process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ...config import Config
from ..core.errors import Problem
from ..core.runs import create, describe_environment, exclusive, load_environment
from ..models.loading import precision
from .trajectories import load

DECIDING = ("device", "precision", "hardware")
"""What a run cannot go on without, besides its data: with another, its bits would differ."""


@contextmanager
def opened(config: Config, run: Path | None) -> Iterator[Path]:
    """Hold a run's lock while it is trained; where `run` is None, that of a new one.

    Raises:
        Problem: another training has the run, or it cannot be gone on with here.
    """
    data, here = load(config.data).digest, machine(config)
    if run is None:
        run = create(config, describe_environment(here, data))
    else:
        restore_environment(run, here, data)
    with exclusive(run):
        print(f"{run}: {here['hardware']} in {here['precision']}", file=sys.stderr)
        yield run


def machine(config: Config) -> dict[str, Any]:
    """Of where a run is trained, what decides its bits."""
    cuda = torch.cuda.is_available()
    return {
        "device": "cuda" if cuda else "cpu",
        "precision": precision(config.train.precision),
        "threads": torch.get_num_threads(),
        "hardware": torch.cuda.get_device_name() if cuda else str(torch.cpu.get_capabilities().get("cpu_name", "CPU")),
    }


def restore_environment(run: Path, here: dict[str, Any], data: str) -> None:
    """Compute as the run did before: with as many threads.

    Raises:
        Problem: the data, the device or the precision are not the run's.
    """
    recorded = load_environment(run)
    if recorded["data"] != data:
        raise Problem(f"{run} was started on other data than today's: restore them, or start a new run")
    changed = [name for name in DECIDING if recorded[name] != here[name]]
    if changed:
        told = "; ".join(f"{name}: {recorded[name]}, not {here[name]}" for name in changed)
        raise Problem(f"{run} was started elsewhere ({told}): go on with it there, or start a new run")
    torch.set_num_threads(recorded["threads"])
