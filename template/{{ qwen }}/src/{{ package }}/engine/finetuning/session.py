"""One training in one run folder: what lies there, begun or resumed, and kept from every other process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..agent.keys import parts_of
from ..config import RunConfig
from ..core.errors import Problem
from ..core.runs import create, describe_environment, exclusive, load_environment
from ..models.loading import precision
from ..task import AgentTask
from .trajectories import load, of_run

CHECKPOINTS = "checkpoints"
"""The folder of a run with the trainer's checkpoints."""
RECORD = "metrics.jsonl"
OUTCOME = "outcome.json"
"""What `train` returns, kept for the report."""
MODEL = "model"
"""The folder of a run with the trained model, as `from_pretrained` loads it."""
ADAPTER = "adapter"
"""The folder of a run with what was trained of it."""
DECIDING = ("device", "precision", "hardware")
"""What a run cannot be resumed without, besides its data: with another, its bits would differ."""


@contextmanager
def opened(config: RunConfig, agent_task: AgentTask, run: Path | None) -> Iterator[Path]:
    """Hold a run's lock while it is trained; where `run` is None, that of a new one.

    Raises:
        Problem: another training has the run, or it cannot be resumed here.
    """
    here = machine(config)
    if run is None:
        data = load(config.data, agent_task).digest
        run = create(config, describe_environment(here | {"tasks": parts_of(config.data, agent_task)}, data))
    else:
        data = of_run(load_environment(run)["data"], config.data, agent_task).digest
        restore_environment(run, here, data)
    with exclusive(run):
        print(f"{run}: {here['hardware']} in {here['precision']}", file=sys.stderr)
        yield run


def machine(config: RunConfig) -> dict[str, Any]:
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
        raise Problem(f"{run} was started elsewhere ({told}): resume it there, or start a new run")
    torch.set_num_threads(recorded["threads"])
