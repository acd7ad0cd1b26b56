"""How much memory a training step takes, measured on tensors that have shapes and lifetimes, but no values.

PyTorch's FakeTensors go through the real forward and backward pass while a tracker follows every storage from its
allocation to its end. So neither a GPU nor the memory itself is needed. They claim to be on the CPU: where a GPU's
kernels need more room inside of them, and what CUDA takes for itself, is not counted.
"""

import weakref
from contextlib import nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .config import Config
from .seam import Batch, Context
from .seeding import generator


class WithoutScores(TorchFunctionMode):
    """Attention as on a GPU, whose kernels never hold all scores; the CPU's do where there is dropout."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        changed = {"dropout_p": 0.0} if func is F.scaled_dot_product_attention else {}
        return func(*args, **(kwargs or {}) | changed)


class Tracker(TorchDispatchMode):
    """Counts the bytes of all storages that come up inside of it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.see(leaf.untyped_storage())
        return result

    def see(self, storage: torch.UntypedStorage) -> None:
        """Count a storage once, until nobody holds it any more."""
        if (key := storage._cdata) not in self.known:
            self.known.add(key)
            self.held += storage.nbytes()
            self.peak = max(self.peak, self.held)
            weakref.finalize(storage, self.forget, key, storage.nbytes())

    def forget(self, key: int, size: int) -> None:
        self.known.remove(key)
        self.held -= size


@cache
def step_bytes(config: Config, *, bf16: bool) -> int:
    """What one micro-batch of a training holds at most: weights, AdamW's two moments, gradients, activations."""
    task, device = config.task(), torch.device("cpu")
    with torch.device("meta"):
        model = task.model().train()
    shapes = task.shaped(config.train.micro_batch)
    precision = torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()
    with FakeTensorMode(), Tracker() as tracker, WithoutScores(), precision:
        allocate(model)
        moments = [torch.empty_like(parameter) for parameter in model.parameters() for _ in range(2)]
        batch: Batch = {name: torch.empty(value.shape, dtype=value.dtype) for name, value in shapes.items()}
        carry = task.start(config.train.micro_batch, device)
        task.loss(model, batch, carry, Context(0, generator(device, 0))).loss.backward()
    del moments
    return tracker.peak


def allocate(model: nn.Module) -> None:
    """Give a model on the meta device parameters and buffers on the CPU; what two modules share stays shared."""
    made: dict[int, tuple[Tensor, Tensor]] = {}
    for module in model.modules():
        places: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for held in places:
            for name, old in held.items():
                if old is not None:
                    if id(old) not in made:
                        new = torch.empty(old.shape, dtype=old.dtype)
                        made[id(old)] = old, nn.Parameter(new) if isinstance(old, nn.Parameter) else new
                    held[name] = made[id(old)][1]
