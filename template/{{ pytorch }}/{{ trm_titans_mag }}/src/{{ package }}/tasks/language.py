"""Language modelling: predict each next token, measured in bits per byte."""

import math
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config import Language, ModelConfig
from ..data import prepare
from ..engine.core.batch import Batch
from ..engine.splits.leakage import Leakage
from ..engine.statistics.metrics import Metric
from ..engine.task import Context
from ..engine.text import generate, metrics
from ..engine.text.baselines import cached_baselines
from ..engine.text.tokens import Text, TextExamples
from ..model import FullModel
from .sequences import Sequential

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LanguageModeling(Sequential):
    """Next-token prediction on a text."""

    pipeline: ClassVar[str] = "text-generation"

    def __init__(self, source: Language, config: ModelConfig) -> None:
        super().__init__(config)
        self.source = source

    @cached_property
    def text(self) -> Text:
        return prepare(self.source.path, self.config.vocab_size, self.division)

    def data(self, split: str) -> TextExamples:
        return self.text.examples(split, self.config.length)

    def data_hash(self) -> str:
        return self.text.sha256

    def leakage(self) -> Leakage:
        return self.text.leakage

    def asked(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch["tokens"][:, :-1], batch["tokens"][:, 1:]

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`tokens` and `nats`, (windows, length): each predicted token and -ln of its probability."""
        tokens, nats = [], []
        for batch in loader:
            seen, targets = self.asked(batch)
            logits = model(seen).logits.float()
            nats.append(functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none").cpu())
            tokens.append(targets.cpu())
        return {"tokens": torch.cat(tokens), "nats": torch.cat(nats)}

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        return metrics.metrics(self.text, predictions)

    def baselines(self, split: str) -> dict[str, float]:
        return cached_baselines(self.text, split)

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        return metrics.figure(predictions)

    def samples(self, model: nn.Module, context: Context) -> str:
        """The beginnings of two validation documents, and how the model goes on."""
        assert isinstance(model, FullModel)
        return generate.continuations(model, self.text, self.config.length, context.noise.initial_seed())

    def render_example(self, index: int) -> str:
        return metrics.beginning(self.text, index)

    def expected_loss(self) -> float:
        """Of a uniform guess: ln V."""
        return math.log(self.config.vocab_size)

    def flops(self) -> float:
        """Of a pass over the whole length, per token."""
        return self.position_flops()

    def save_assets(self, folder: Path) -> None:
        self.text.tokenizer.save(str(folder / "tokenizer.json"))
