"""What the tasks on a text share: the text, its metric and baselines, and what is shown of it."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.batch import Batch
from ..splits.leakage import Leakage
from ..task import Context, Metric, Task
from . import metrics
from .baselines import cached_baselines
from .generate import Streaming, continuations
from .tokens import Text, TextExamples

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TextTask(Task):
    """Next-token prediction on a text; the model and its loss are the subclass's."""

    unit: ClassVar[str] = "tokens"
    pipeline: ClassVar[str] = "text-generation"

    def __init__(self, vocab_size: int, context_length: int) -> None:
        self.vocab_size, self.context_length = vocab_size, context_length

    @property
    @abstractmethod
    def text(self) -> Text:
        """What is learned, prepared once."""

    def data(self, split: str) -> TextExamples:
        return self.text.examples(split, self.context_length)

    def example_batch(self, count: int) -> Batch:
        return {"tokens": torch.zeros(count, self.context_length + 1, dtype=torch.long)}

    def data_hash(self) -> str:
        return self.text.sha256

    def leakage(self) -> Leakage:
        return self.text.leakage

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        return metrics.metrics(self.text, predictions)

    def baselines(self, split: str) -> dict[str, float]:
        return cached_baselines(self.text, split)

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        return metrics.figure(predictions)

    def samples(self, model: nn.Module, context: Context) -> str:
        """The beginnings of two validation documents, and how the model continues them."""
        assert isinstance(model, Streaming)
        return continuations(model, self.text, self.context_length, context.noise.initial_seed())

    def render_example(self, index: int) -> str:
        return metrics.beginning(self.text, index)

    def expected_loss(self) -> float:
        """Of a uniform guess: ln V."""
        return math.log(self.vocab_size)

    def save_assets(self, folder: Path) -> None:
        self.text.tokenizer.save(str(folder / "tokenizer.json"))


def nats_per_token(logits: Callable[[Tensor], Tensor], loader: Iterable[Batch]) -> dict[str, Tensor]:
    """`tokens` and `nats`, (windows, T): each token after the first of its window, and -ln of its probability.

    `logits` takes the tokens before (B, T), and returns (B, T, V).
    """
    tokens, nats = [], []
    for batch in loader:
        seen, targets = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        nats.append(functional.cross_entropy(logits(seen).float().transpose(1, 2), targets, reduction="none").cpu())
        tokens.append(targets.cpu())
    return {"tokens": torch.cat(tokens), "nats": torch.cat(nats)}
