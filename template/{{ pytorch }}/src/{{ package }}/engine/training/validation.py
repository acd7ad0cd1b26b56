"""A model, measured on a split."""

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from ..statistics.metrics import Metric
from ..task import Context, Task
from .dataloader import EvaluationBatches
from .seeding import generator, key


@torch.no_grad()
def measure(
    task: Task,
    model: nn.Module,
    split: str,
    size: int,
    *,
    seed: int,
    limit: int | None = None,
    bf16: bool = False,
    bar: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Metric]]:
    """The records and metrics of a model on a split, in batches of `size`; at most `limit` of them.

    `bar` shows a progress bar where there is a terminal.
    The model's mode and the global generators are left as they were found.
    """
    device = next(model.parameters()).device
    context = Context(0, generator(device, key(seed, "evaluation", split)))
    loader = EvaluationBatches(task.data(split), size, device, limit)
    console = Console(stderr=True)
    batches = track(
        loader,
        f"measuring the {split} split",
        console=console,
        transient=True,
        disable=not (bar and console.is_terminal),
    )
    training = model.training
    model.eval()
    try:
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            records = task.records(model, batches, context)
    finally:
        model.train(training)
    return records, task.metrics(records)
