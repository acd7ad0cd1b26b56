"""Associative recall: the values of keys that were seen long ago, which shows what the memory is for."""

import math
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config import ModelConfig, Recall
from ...engine.core.batch import Batch
from ...engine.splits.leakage import Leakage
from ...engine.statistics.metrics import Metric
from ...engine.task import Context
from ..sequences import IGNORED, Sequential
from . import questions as recall
from .questions import Shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Recalling(Sequential):
    """The value of each key that is asked for."""

    unit: ClassVar[str] = "answers"

    def __init__(self, source: Recall, config: ModelConfig) -> None:
        super().__init__(config)
        self.source = source
        self.shape = Shape(vocab_size=config.vocab_size, length=config.length, pairs=source.pairs, gap=source.gap)

    @cached_property
    def recalls(self) -> recall.Recalls:
        return recall.prepare(self.shape, self.source.count, self.source.seed, self.division)

    def data(self, split: str) -> recall.Recall:
        return self.recalls.splits[split]

    def data_hash(self) -> str:
        return self.recalls.sha256

    def leakage(self) -> Leakage:
        return self.recalls.leakage

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """Of each question, (examples, pairs): is its answer `right`, its `nats`, and the `distance` to its pair."""
        parts = [self.record(model, batch) for batch in loader]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def record(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        tokens, targets = self.asked(batch)
        row, place = (targets != IGNORED).nonzero(as_tuple=True)
        logits, answers = model(tokens).logits[row, place].float(), targets[row, place]
        pairs = tokens[row, : 2 * self.source.pairs : 2]
        written = 2 * (pairs == tokens[row, place][:, None]).int().argmax(1)
        found = {
            "right": logits.argmax(1) == answers,
            "nats": functional.cross_entropy(logits, answers, reduction="none"),
            "distance": place - written,
        }
        return {name: value.view(-1, self.source.pairs).cpu() for name, value in found.items()}

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        right, nats = predictions["right"].double().mean(1), predictions["nats"].double().mean(1)
        return {
            "recalled": Metric(right.mean().item(), right, higher_is_better=True, share=True),
            "cross_entropy": Metric(nats.mean().item(), nats),
        }

    def baselines(self, split: str) -> dict[str, float]:
        return recall.baselines(self.data("train"), self.data(split), self.config.window)

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        """How well values are recalled from how far."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        distance, right = predictions["distance"].flatten().double(), predictions["right"].flatten().double()
        groups = distance.argsort().tensor_split(8)
        axes.plot([distance[g].mean().item() for g in groups], [right[g].mean().item() for g in groups], marker="o")
        axes.axvline(self.config.window, linestyle="--", color="tab:gray", label="window of the attention")
        axes.set(xlabel="tokens between pair and question", ylabel="recalled", title="From how far?", ylim=(0, 1.02))
        axes.legend()
        axes.grid(alpha=0.3)
        return figure

    def samples(self, model: nn.Module, context: Context) -> str:
        """The questions of the first validation example, with what the model says and what is right."""
        batch = self.data("validation").batch(np.arange(1), None)
        tokens, targets = (values.to(next(model.parameters()).device) for values in self.asked(batch))
        with torch.no_grad():
            said = model(tokens).logits.argmax(-1)
        places = (targets[0] != IGNORED).nonzero()[:, 0].tolist()
        return "\n".join(
            f"position {at}, key {tokens[0, at]}: says {said[0, at]}, the value is {targets[0, at]}" for at in places
        )

    def render_example(self, index: int) -> str:
        """The pairs of the example."""
        keys, values = self.data("validation").pairs(np.array([index]))
        return ", ".join(f"{key}: {value}" for key, value in zip(keys[0].tolist(), values[0].tolist(), strict=True))

    def expected_loss(self) -> float:
        """Of a uniform guess: ln V."""
        return math.log(self.config.vocab_size)

    def flops(self) -> float:
        """Of a pass over an example, per question."""
        return self.config.length * self.position_flops() / self.source.pairs
