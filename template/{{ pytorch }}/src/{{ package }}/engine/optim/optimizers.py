"""AdamW, and Muon beside it: the optimizers that `--train.optimizer` names."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

if TYPE_CHECKING:
    from ..training.config import TrainConfig

Chosen = Callable[[str, nn.Parameter], bool]
"""Whether a parameter, given by its name, is one of those that are meant."""


def build_optimizers(model: nn.Module, config: "TrainConfig", decays: Chosen | None = None) -> list[Optimizer]:
    """The optimizers of the configuration; every trained parameter is in one group of one of them.

    adamw   Loshchilov & Hutter 2019 (arXiv:1711.05101)
    muon    Jordan 2024 for the hidden matrices, scaled so that it takes AdamW's learning rate and weight decay (Liu et
            al. 2025, arXiv:2502.16982); AdamW for the rest

    Weight decay is on the parameters that `decays` chooses; unless it is given, on all but vectors (norms, biases).
    """
    decays = decays or (lambda name, parameter: parameter.ndim >= 2)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    hidden = hidden_matrices(model) if config.optimizer == "muon" else set()
    rest = {name: p for name, p in trained.items() if name not in hidden}
    adamw = torch.optim.AdamW(
        groups(rest, decays),
        lr=config.learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=all(p.device.type != "mps" for p in rest.values()),
    )
    if not hidden:
        return [adamw]
    muon = torch.optim.Muon(
        groups({name: p for name, p in trained.items() if name in hidden}, decays),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [muon, adamw]


def groups(parameters: dict[str, nn.Parameter], decays: Chosen) -> list[dict[str, Any]]:
    """Two groups: the parameters that decay, and the others."""
    return [
        {"params": [p for name, p in parameters.items() if decays(name, p)]},
        {"params": [p for name, p in parameters.items() if not decays(name, p)], "weight_decay": 0.0},
    ]


def hidden_matrices(model: nn.Module) -> set[str]:
    """The names of the matrices that Muon is for: those of the blocks, without embeddings.

    A block lies in an `nn.ModuleList`; what lies outside, such as an output layer, is left to AdamW. Without such a
    list, the model's last `nn.Linear` is the output layer.
    """
    blocks = [m for m in model.modules() if isinstance(m, nn.ModuleList)]
    linear = [m.weight for m in model.modules() if isinstance(m, nn.Linear)]
    inside = {id(p) for block in blocks for p in block.parameters()} or {id(weight) for weight in linear[:-1]}
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    named = model.named_parameters()
    return {name for name, p in named if p.ndim == 2 and p.requires_grad and id(p) in inside - tables}
