"""Where a value that is not finite came up first, in a forward and a backward pass of a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

Calls = list[tuple[str, dict[str, bool]]]
"""Each call of a module: its name, and whether what went in and came out was finite, forward and backward."""


@dataclass(frozen=True)
class Origin:
    """Where a value that is not finite came up first."""

    step: int
    where: str
    """`data`, `weights`, `forward`, `loss`, `backward` or `norm`."""
    module: str
    """The module's name in the model, the parameter's, or the batch's tensor; "" where it is none of the model's."""
    examples: list[int] = field(default_factory=list)
    """Training examples that hold such a value."""


def finite(*values: Any) -> bool:
    """Whether all floating-point tensors in these values are finite."""
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


@contextmanager
def flow(model: nn.Module) -> Iterator[Calls]:
    """While open, notes of every call of a module whether what went in and came out was finite, forward and backward.

    In the order in which the calls end, so that a module stands before those that contain it.
    """
    calls: Calls = []
    begun: dict[str, dict[str, bool]] = {}

    def watched(call: dict[str, bool], key: str, values: Any) -> Any:
        # A tensor's own hook sees the gradient of all that use it; that of an alias, of one use alone.
        def alias(value: Any) -> Any:
            if not isinstance(value, Tensor) or not value.requires_grad:
                return value
            alias = value.view_as(value)
            alias.register_hook(lambda gradient: call.update({key: call.get(key, True) and finite(gradient)}))
            return alias

        return tree_map(alias, values)

    def before(name: str, module: nn.Module, args: Any, kwargs: Any) -> Any:
        begun[name] = {"forward in": finite(args, kwargs)}
        return watched(begun[name], "backward out", (args, kwargs))

    def after(name: str, module: nn.Module, args: Any, output: Any) -> Any:
        call = begun.pop(name)
        call["forward out"] = finite(output)
        calls.append((name, call))
        return watched(call, "backward in", output)

    handles = []
    for path, module in model.named_modules():
        name = path or type(module).__name__
        handles.append(module.register_forward_pre_hook(partial(before, name), with_kwargs=True))
        handles.append(module.register_forward_hook(partial(after, name)))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def blame(model: nn.Module, calls: Calls, loss_is_finite: bool) -> tuple[str, str]:
    """Where the first such value came up, and in which module or parameter, once the gradients are there too."""
    for where in ("forward", "backward"):
        for name, call in calls:
            if call.get(f"{where} in", True) and not call.get(f"{where} out", True):
                return where, name
        if not loss_is_finite:
            return "loss", ""
    if not all(call.get("backward in", True) for _, call in calls):
        return "loss", ""
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    for name, gradient in gradients.items():
        if not finite(gradient):
            return "backward", name
    return "norm", max(gradients, key=lambda name: float(gradients[name].abs().max()))
