"""One training in one run folder: started or resumed, and kept from every other process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..core.config_io import fingerprint, refuse_changes, to_json
from ..core.errors import Problem
from ..core.files import write_atomically
from ..core.runs import RUNS, create, describe_environment, exclusive, find, load_config, load_environment
from ..splits.leakage import refuse
from ..task import ChecksStart, Config, SavesAssets, Task
from .checkpoint import Identity, identity_of, weights_of
from .config import TrainConfig
from .device import Device, choose, describe
from .parallel import World
from .seeding import be_deterministic


class Opened(NamedTuple):
    """What a trainer is made of."""

    task: Task
    config: TrainConfig
    seed: int
    run: Path
    identity: Identity
    device: Device
    world: World
    init: Path | None
    """The weights to start from; None where they are random."""


@contextmanager
def opened(
    config: Config,
    task: Task,
    run: Path | None,
    world: World,
    parent: Path = RUNS,
    also: dict[str, Any] | None = None,
) -> Iterator[Opened]:
    """Hold a run's lock while it is trained; where `run` is None, a new one in `parent`, whose environment has `also`.

    `also` may name in `init` what the run starts from, as `start_from` gives it.

    Raises:
        Problem: the splits share examples, another training has the run, or it cannot be resumed here.
    """
    be_deterministic()
    device = choose(config.train.device, config.train.precision)
    with world.main_first():
        data = task.data_hash()
        if world.is_main:
            refuse(task.leakage())
    resumed = run is not None
    if run is None:
        environment = describe_environment(machine(device, world), data) | (also or {})
        if "init" not in environment and (weights := task.initial_weights()):
            environment["init"] = {"weights": fingerprint(weights)}
        run = world.broadcast(create(config, environment, parent) if world.is_main else None)
    else:
        restore_environment(run, device, world, data)
    with exclusive(run) if world.is_main else nullcontext():
        if world.is_main:
            if resumed:
                lengthen(run, config, task)
            if isinstance(task, SavesAssets):
                task.save_assets(run)
            print(f"{run}: {describe(device)} in {device.precision}", file=sys.stderr)
        world.barrier()
        yield Opened(
            task, config.train, config.seed, run, identity_of(run, data), device, world, initial_weights(run, task)
        )


def start_from(run: Path, config: Config, task: Task) -> dict[str, Any]:
    """What the environment of a new run of `config` says of a finished run whose weights it starts from.

    Raises:
        Problem: that run has not finished, or was trained on what the new one holds out.
    """
    if isinstance(task, ChecksStart):
        task.check_start(load_config(run, type(config)))
    if load_environment(run)["data"] != task.data_hash():
        print(
            f"warning: {run} was trained on other data: it may have seen examples that are held out now",
            file=sys.stderr,
        )
    return {"init": {"run": run.as_posix(), "weights": fingerprint(weights_of(run))}}


def lengthen(run: Path, config: Config, task: Task) -> None:
    """Give a run more steps, where the configuration has more than it was started with, and say what that changes.

    Raises:
        Problem: it has fewer.
    """
    before = load_config(run, type(config))
    refuse_changes(before, config, but=("train.steps",))
    old, new = before.train.steps, config.train.steps
    if new < old:
        raise Problem(f"{run} has {old} steps: --train.steps {new} would cut it short; give it more, or leave it out")
    if new > old:
        write_atomically(run / "config.json", to_json(config) + "\n")
        ends, starts = task.schedule(before.train)(old - 1), task.schedule(config.train)(old)
        print(
            f"{run}: {old} steps become {new}; with its schedule stretched ({config.train.schedule}), the learning "
            f"rate goes from {ends:.0%} of its peak at step {old} to {starts:.0%}",
            file=sys.stderr,
        )


def initial_weights(run: Path, task: Task) -> Path | None:
    """The weights that a run starts from, another run's or the task's; None where they are random.

    Raises:
        Problem: they are no longer what they were.
    """
    start = load_environment(run).get("init")
    if start is None:
        return None
    weights = weights_of(find(start["run"])) if "run" in start else task.initial_weights()
    if weights is None or fingerprint(weights) != start["weights"]:
        holder = start.get("run", "what this configuration names")
        raise Problem(f"{holder} no longer holds the weights that {run} started from: restore them, or start a new run")
    return weights


def machine(device: Device, world: World) -> dict[str, Any]:
    """Of where a run is trained, what decides its bits, and the hardware's name."""
    return {
        "device": device.type,
        "bf16": device.bf16,
        "threads": torch.get_num_threads(),
        "processes": world.size,
        "hardware": describe(device),
    }


def restore_environment(run: Path, device: Device, world: World, data: str) -> None:
    """Compute as the run did before: with as many threads.

    Raises:
        Problem: the data, the device, the precision or the number of processes are not the run's.
    """
    recorded = load_environment(run)
    if recorded["data"] != data:
        raise Problem(f"{run} was started on other data than today's: restore them, or start a new run")
    before = Device(recorded["device"], recorded["bf16"])
    if device != before:
        now = f"{device.type} in {device.precision}"
        raise Problem(f"{run} was started on {before.type} in {before.precision}, and this is {now}: start a new run")
    world.goes_on(run, recorded["processes"])
    torch.set_num_threads(recorded["threads"])
