"""Where a value that is not finite came up first, in a forward and a backward pass of a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    examples: list[int]
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

    def watched(at: dict[str, bool], key: str, value: Any) -> Any:
        # A tensor's own hook sees the gradient of all that use it; that of an alias, of one use alone.
        if not isinstance(value, Tensor) or not value.requires_grad:
            return value
        alias = value.view_as(value)
        alias.register_hook(lambda gradient: at.update({key: at.get(key, True) and finite(gradient)}))
        return alias

    def before(name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        at = begun[name] = {"forward in": finite(args, kwargs)}
        taken: tuple[Any, Any] = tree_map(lambda value: watched(at, "backward out", value), (args, kwargs))
        return taken

    def after(name: str, output: Any) -> Any:
        at = begun.pop(name)
        at["forward out"] = finite(output)
        calls.append((name, at))
        return tree_map(lambda value: watched(at, "backward in", value), output)

    handles = []
    for name, module in model.named_modules():
        known = name or type(module).__name__
        handles.append(
            module.register_forward_pre_hook(
                lambda _, args, kwargs, name=known: before(name, args, kwargs), with_kwargs=True
            )
        )
        handles.append(module.register_forward_hook(lambda _, __, output, name=known: after(name, output)))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def blame(model: nn.Module, calls: Calls, loss_is_finite: bool) -> tuple[str, str]:
    """Where the first such value came up, and in which module or parameter, once the gradients are there too."""
    for where in ("forward", "backward"):
        for name, at in calls:
            if at.get(f"{where} in", True) and not at.get(f"{where} out", True):
                return where, name
        if not loss_is_finite:
            return "loss", ""
    if any(not at.get("backward in", True) for _, at in calls):
        return "loss", ""
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    bad = [name for name, gradient in gradients.items() if not finite(gradient)]
    if bad:
        return "backward", bad[0]
    return "norm", max(gradients, key=lambda name: float(gradients[name].abs().max()))
