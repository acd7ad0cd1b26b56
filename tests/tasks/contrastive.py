"""Two towers whose loss compares each example with all others, on however many processes (Radford et al. 2021)."""

import os
from collections.abc import Iterable

import numpy as np
import torch
import torch.distributed as dist
from common import train
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn import functional as F
from transformer_demo.engine.core.batch import Batch
from transformer_demo.engine.statistics.metrics import Metric
from transformer_demo.engine.task import Context, Output, Task


def gather(x: Tensor) -> Tensor:
    """The rows of all processes, with their gradients."""
    return torch.cat(all_gather(x)) if dist.is_initialized() else x


class Pairs:
    """Vectors and their mirror images."""

    def __len__(self) -> int:
        return 100

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        x = torch.from_numpy(np.stack([np.random.default_rng(int(index)).normal(size=6) for index in indices])).float()
        return {"left": x, "right": x.flip(1)}


class Towers(nn.Module):
    """One linear map for each side."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 4), nn.Linear(6, 4)
        self.temperature = nn.Parameter(torch.tensor(1.0))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        left, right = self.left(batch["left"]), self.right(batch["right"])
        return F.normalize(left, dim=-1), F.normalize(right, dim=-1), self.temperature.exp()


class Contrastive(Task):
    """Find the other half of each pair."""

    per_example_loss = False

    def model(self) -> nn.Module:
        return Towers()

    def data(self, split: str) -> Pairs:
        return Pairs()

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        left, right, scale = model(batch)
        rank = dist.get_rank() if dist.is_initialized() else 0
        target = torch.arange(len(left)) + rank * len(left)
        found_right = F.cross_entropy(scale * left @ gather(right).T, target, reduction="sum")
        found_left = F.cross_entropy(scale * right @ gather(left).T, target, reduction="sum")
        return Output(found_right + found_left, len(left))

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        towers = [model(batch) for batch in loader]
        left, right = (torch.cat([tower[side] for tower in towers]) for side in (0, 1))
        return {"hit": ((left @ right.T).argmax(1) == torch.arange(len(left))).float()}

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        return {"recall": Metric(predictions["hit"].mean().item(), predictions["hit"], higher_is_better=True)}


train(Contrastive(), micro_batch=16 // int(os.environ.get("WORLD_SIZE", "1")))
