"""A recurrent network on endless streams: each slot keeps its state between steps, and starts anew at random."""

from collections.abc import Iterable

import numpy as np
import torch
from common import train
from torch import Tensor, nn
from transformer_demo.engine.core.batch import Batch
from transformer_demo.engine.statistics.metrics import Metric
from transformer_demo.engine.task import Context, Output, Task


class Streams:
    """Pieces of a sine."""

    def __len__(self) -> int:
        return 50

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        start = torch.from_numpy(indices[:, None] * 0.3).float()
        return {"x": torch.sin(start + torch.arange(9) * 0.2)}


class Recurrent(nn.Module):
    """The state after each step, and the value that it predicts."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.GRUCell(1, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        predicted = []
        for value in x.unbind(1):
            h = self.cell(value[:, None], h)
            predicted.append(self.out(h)[:, 0])
        return torch.stack(predicted, dim=1), h


class Stateful(Task):
    """Predict the next value of a stream."""

    def model(self) -> nn.Module:
        return Recurrent()

    def data(self, split: str) -> Streams:
        return Streams()

    def initial_state(self, slots: int, device: torch.device) -> dict[str, Tensor]:
        return {"h": torch.zeros(slots, 8, device=device), "age": torch.zeros(slots, dtype=torch.long, device=device)}

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        fresh = torch.rand(len(state["age"]), generator=context.noise) < 0.1
        predicted, h = model(batch["x"][:, :-1], state["h"] * ~fresh[:, None])
        loss = (predicted - batch["x"][:, 1:]).square().sum()
        return Output(loss, 8 * len(batch["x"]), {"h": h.detach(), "age": torch.where(fresh, 0, state["age"] + 1)})

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        errors = []
        for batch in loader:
            predicted, _ = model(batch["x"][:, :-1], torch.zeros(len(batch["x"]), 8))
            errors.append((predicted - batch["x"][:, 1:]).square().mean(1))
        return {"error": torch.cat(errors)}

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        return {"error": Metric(predictions["error"].mean().item(), predictions["error"])}


train(Stateful(), micro_batch=8)
