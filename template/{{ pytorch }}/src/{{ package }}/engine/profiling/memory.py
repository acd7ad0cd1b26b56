"""How much memory a training step takes, measured on tensors that have no values, as memory_tracker.py says."""

from contextlib import nullcontext
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..core.batch import Batch
from ..core.memory_tracker import Tracker, allocate
from ..task import Config, Context
from ..training.seeding import generator


class WithoutScores(TorchFunctionMode):
    """Attention as on a GPU, whose kernels never hold all scores; the CPU's do where there is dropout."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        changed = {"dropout_p": 0.0} if func is functional.scaled_dot_product_attention else {}
        return func(*args, **(kwargs or {}) | changed)


def step_bytes(config: Config, *, bf16: bool) -> int:
    """What one micro-batch of a training holds at most: weights, gradients, activations, the optimizer's state."""
    task, device = config.task(), torch.device("cpu")
    with torch.device("meta"):
        model = task.model().train()
    shapes = task.example_batch(config.train.micro_batch)
    precision = torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()
    with FakeTensorMode(), Tracker() as tracker, WithoutScores(), precision:
        allocate(model)
        found = task.optimizer(model, config.train)
        optimizers = found if isinstance(found, list) else [found]
        batch: Batch = {name: torch.empty(value.shape, dtype=value.dtype) for name, value in shapes.items()}
        state = task.initial_state(config.train.micro_batch, device)
        for parameter in model.parameters():
            parameter.grad = torch.empty_like(parameter)
        for optimizer in optimizers:  # its state comes with its first step
            optimizer.step()
        model.zero_grad()
        task.loss(model, batch, state, Context(0, generator(device, 0))).loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    return tracker.peak
