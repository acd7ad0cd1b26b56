"""What the three tasks have in common: the model, which of its weights decay, and what it computes.

`tasks/` has one for Sudoku, for recall and for text; `engine/task.py` says what each method is for.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer

from .config import ModelConfig
from .engine.core.errors import require
from .engine.optim.optimizers import build_optimizers
from .engine.task import Task
from .engine.training.config import TrainConfig
from .model import FullModel, Recursion
from .model.cost import flops
from .model.neural_memory import NeuralMemory
from .model.titans_mag import decayed


class Recursive(Task):
    """A task for the recursive model."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def model(self) -> nn.Module:
        return FullModel(self.config)

    def optimizer(self, model: nn.Module, config: TrainConfig) -> list[Optimizer]:
        """No decay for vectors, for what the memory starts from, and for persistent tokens."""
        return build_optimizers(model, config, decayed)

    def with_full_gradient(self, model: nn.Module) -> nn.Module:
        """A gradient through all cycles, where training has one through the last."""
        for module in model.modules():
            if isinstance(module, Recursion):
                module.graded = module.cycles
        return model

    def position_flops(self) -> float:
        """Of a supervision step, for each position: T (n + 1) calls of the backbone, and 2 D V for the logits."""
        c = self.config
        return c.cycles * (c.inner + 1) * flops(c) + 2.0 * c.width * c.vocab_size

    def backward_fraction(self) -> float:
        """The last cycle of T, and the logits."""
        c = self.config
        return ((c.inner + 1) * flops(c) + 2.0 * c.width * c.vocab_size) / self.position_flops()


def stablemax_cross_entropy(logits: Float[Tensor, "*B V"], targets: Int[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """-ln of the target's share of s(x), with s(x) = x + 1 from 0 on and 1 / (1 - x) below, in float64.

    Under softmax, scaling the logits alone makes a loss vanish, and rounding its gradient (Prieto et al. 2025,
    arXiv:2501.04697, section 4).
    """
    # Apple's GPU has no float64.
    x = logits.to(torch.float32 if logits.device.type == "mps" else torch.float64)
    s = x.clamp(min=0) + 1 / (1 - x.clamp(max=0))
    share = s.gather(-1, targets[..., None])[..., 0] / s.sum(-1)
    return -share.log()


def matters(model: nn.Module, tokens: Int[Tensor, "B T"]) -> dict[str, str]:
    """What the memory is worth in a fresh model: how far the logits move where all that it recalls is forgotten."""
    memories = [module for module in model.modules() if isinstance(module, NeuralMemory)]
    if not memories:
        return {}
    before = model(tokens).logits
    hooks = [memory.register_forward_hook(forget) for memory in memories]
    after = model(tokens).logits
    for hook in hooks:
        hook.remove()
    moved = float((after - before).abs().max())
    require(moved > 0, "the logits do not depend on what the memory recalls: look at its gate")
    return {"memory": f"without what it recalls, a logit moves by {moved:.1e}"}


def forget(module: nn.Module, given: object, recalled: Any) -> Any:
    """Nothing in the place of what a memory recalls."""
    y, state = recalled
    return torch.zeros_like(y), state
