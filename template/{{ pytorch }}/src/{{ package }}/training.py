"""One training in one run folder: begun or gone on with, and kept from every other process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from .checkpoint import Identity
from .config import Config
from .device import Device, choose, describe
from .distributed import World
from .leakage import refuse
from .runs import RUNS, create, describe_environment, exclusive, restore_environment
from .seam import Task
from .seeding import be_deterministic
from .settings import TrainConfig, fingerprint


class Opened(NamedTuple):
    """What a trainer is made of."""

    task: Task
    config: TrainConfig
    seed: int
    run: Path
    identity: Identity
    device: Device
    world: World


@contextmanager
def opened(
    config: Config, run: Path | None, world: World, parent: Path = RUNS, also: dict[str, Any] | None = None
) -> Iterator[Opened]:
    """Hold a run's lock while it is trained; where `run` is None, a new one in `parent`, whose environment has `also`.

    Raises:
        Problem: the splits share examples, another training has the run, or it cannot be gone on with here.
    """
    be_deterministic()
    device = choose(config.train.device, config.train.precision)
    with world.first_goes_first():
        task = config.task()
        data = task.data_hash()
        if world.first:
            refuse(task.leakage())
    if run is None:
        environment = describe_environment(device, world, data) | (also or {})
        run = world.share(create(config, environment, parent) if world.first else None)
    else:
        restore_environment(run, device, world, data)
    with exclusive(run) if world.first else nullcontext():
        if world.first:
            task.save_assets(run)
            print(f"{run}: {describe(device)} in {device.precision}", file=sys.stderr)
        identity = Identity(fingerprint(run / "config.json"), data)
        yield Opened(task, config.train, config.seed, run, identity, device, world)
