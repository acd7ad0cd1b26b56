"""Memory, followed on tensors that have shapes, types and lifetimes, but no values.

PyTorch's FakeTensors go through the real modules while a tracker follows every storage from its allocation to its end.
So neither a GPU nor the memory itself is needed. They claim to be on the CPU: a fake CUDA device fails in the backward
pass of a PyTorch without CUDA, and the meta device takes another path through the attention. Where a GPU's kernels need
more room inside of them, and what CUDA takes for itself, is not counted.
"""

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Tracker(TorchDispatchMode):
    """Counts the bytes of all storages that come up inside of it, except those of a model and its gradients."""

    def __init__(self, model: nn.Module | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = self.peak = 0
        given = [] if model is None else tensors(model)
        self.known = {tensor.untyped_storage()._cdata for tensor in given}

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
        """A storage is gone."""
        self.known.remove(key)
        self.held -= size

    def lap(self) -> int:
        """The most that was held since the last lap, or since the start."""
        peak, self.peak = self.peak, self.held
        return peak


def tensors(model: nn.Module) -> list[Tensor]:
    """A model's parameters, their gradients and its buffers."""
    parameters = list(model.parameters())
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return [*parameters, *gradients, *model.buffers()]


def allocate(model: nn.Module) -> None:
    """Give a model on the meta device parameters and buffers on the CPU; what two modules share stays shared."""
    made: dict[int, tuple[Tensor, Tensor]] = {}

    def place(old: Tensor) -> Tensor:
        if id(old) not in made:
            new = torch.empty(old.shape, dtype=old.dtype)
            parameter = isinstance(old, nn.Parameter)
            made[id(old)] = old, nn.Parameter(new, old.requires_grad) if parameter else new
        return made[id(old)][1]

    for module in model.modules():
        places: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for held in places:
            held.update({name: place(old) for name, old in held.items() if old is not None})
