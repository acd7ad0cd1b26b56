"""A model, measured on a split, by all processes together."""

from typing import NamedTuple

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from ..statistics.metrics import Metric
from ..task import Context, Task
from .dataloader import EvaluationBatches
from .process_group import Processes
from .seeding import derive_seed, generator


class Measured(NamedTuple):
    """What was found, on the first process; the others have nothing."""

    predictions: dict[str, Tensor]
    metrics: dict[str, Metric]


@torch.no_grad()
def measure(
    task: Task,
    model: nn.Module,
    split: str,
    size: int,
    *,
    world: Processes,
    seed: int,
    limit: int | None = None,
    bf16: bool = False,
    bar: bool = False,
) -> Measured:
    """The records and metrics of a model on a split, in batches of `size`; at most `limit` of them.

    Each process takes a run of the batches, one after the other; which batches there are, and their noise, does not
    depend on the number of processes. `bar` shows a progress bar where there is a terminal.
    The model's mode and the global generators are left as they were found.
    """
    device = next(model.parameters()).device
    noise = generator(device, 0)
    loader = EvaluationBatches(task.data(split), size, device, limit, (world.rank, world.size))
    console = Console(stderr=True)
    batches = track(
        loader.with_noise(noise, derive_seed(seed, "evaluation", split)),
        f"measuring the {split} split",
        total=len(loader),
        console=console,
        transient=True,
        disable=not (bar and world.is_main and console.is_terminal),
    )
    training = model.training
    model.eval()
    try:
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            mine = task.predictions(model, batches, Context(0, noise)) if len(loader) else {}
            if loader.one_less:  # a sharded model is gathered from all processes, in each batch of any
                task.predictions(model, [loader.batch(0)], Context(0, noise))
    finally:
        model.train(training)
    shares = [share for share in world.collect(mine) if share]
    if not shares:
        return Measured({}, {})
    predictions = {name: torch.cat([share[name] for share in shares]) for name in shares[0]}
    return Measured(predictions, task.metrics(predictions))
