"""One training in one run folder: what lies there, begun or resumed, and kept from every other process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..agent.keys import parts_of
from ..config import RunConfig
from ..core.config_io import fingerprint, to_json
from ..core.errors import Problem
from ..core.files import write_atomically
from ..core.runs import create, describe_environment, exclusive, find, load_config, load_environment
from ..models.loading import precision
from ..task import AgentTask
from . import checkpoints
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
def opened(
    config: RunConfig, agent_task: AgentTask, run: Path | None, also: dict[str, Any] | None = None
) -> Iterator[Path]:
    """Hold a run's lock while it is trained; where `run` is None, that of a new one, whose environment has `also`.

    Raises:
        Problem: another training has the run, or it cannot be resumed here.
    """
    here = machine(config)
    resumed = run is not None
    if run is None:
        data = load(config.data, agent_task).digest
        environment = describe_environment(here | {"tasks": parts_of(config.data, agent_task)}, data)
        run = create(config, environment | (also or {}))
    else:
        data = of_run(load_environment(run)["data"], config.data, agent_task).digest
        restore_environment(run, here, data)
    with exclusive(run):
        if resumed:
            lengthen(run, config)
        print(f"{run}: {here['hardware']} in {here['precision']}", file=sys.stderr)
        yield run


def model_of(run: Path) -> Path:
    """The folder of the trained model of a run.

    Raises:
        Problem: it has not finished.
    """
    if not (run / MODEL / "config.json").exists():
        raise Problem(f"{run} has not finished training: continue with train --resume --run {run}")
    return run / MODEL


def hash_of_weights(run: Path) -> str:
    """By which the weights of a run are known."""
    return fingerprint("".join(fingerprint(file) for file in sorted(model_of(run).glob("*.safetensors"))))


def start_from(run: Path, config: RunConfig, agent_task: AgentTask) -> dict[str, Any]:
    """What the environment of a new run of `config` says of a finished run whose model it starts from."""
    before = load_environment(run)
    if before["data"] != load(config.data, agent_task).digest:
        print(f"warning: {run} was trained on other data: it may have seen what is held out now", file=sys.stderr)
    base = before["init"]["base"] if "init" in before else load_config(run, type(config)).model.base
    return {"init": {"run": run.as_posix(), "weights": hash_of_weights(run), "base": base}}


def lengthen(run: Path, config: RunConfig) -> None:
    """Give a run more steps, where the configuration has other than it was started with, and say what that changes.

    Raises:
        Problem: it has fewer than it was to take.
    """
    before, new = load_config(run, type(config)), config.train.steps
    if new == before.train.steps:
        return
    checkpoint = checkpoints.latest(run / CHECKPOINTS)
    old = before.train.steps if checkpoint is None else checkpoints.planned(checkpoint)
    if new < old:
        raise Problem(f"{run} has {old} steps: --train.steps {new} would cut it short; give it more, or leave it out")
    write_atomically(run / "config.json", to_json(config) + "\n")
    print(f"{run}: {old} steps become {new}; its schedule is stretched: the learning rate rises again", file=sys.stderr)


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
        Problem: the data, the model it started from, the device or the precision are not the run's.
    """
    recorded = load_environment(run)
    start = recorded.get("init")
    if start and hash_of_weights(find(start["run"])) != start["weights"]:
        raise Problem(f"{start['run']} no longer holds the model that {run} started from: restore it, or begin anew")
    if recorded["data"] != data:
        raise Problem(f"{run} was started on other data than today's: restore them, or start a new run")
    changed = [name for name in DECIDING if recorded[name] != here[name]]
    if changed:
        told = "; ".join(f"{name}: {recorded[name]}, not {here[name]}" for name in changed)
        raise Problem(f"{run} was started elsewhere ({told}): resume it there, or start a new run")
    torch.set_num_threads(recorded["threads"])
