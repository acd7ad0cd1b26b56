"""Language modelling: predict each next token, measured in bits per byte."""

import math
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..engine.text import metrics as bits
from ..config import Language, ModelConfig
from ..data import Text, TextExamples, prepare
from ..engine.text.baselines import cached_floors
from ..engine.statistics.metrics import Metric
from ..engine.splits.leakage import Leakage
from ..model import FullModel
from ..predict import LanguageModel
from ..engine.core.batch import Batch
from ..engine.task import Context
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
        return prepare(self.source.path, self.config.vocabulary)

    def data(self, split: str) -> TextExamples:
        return self.text.examples(split, self.config.length)

    def data_hash(self) -> str:
        return self.text.sha256

    def leakage(self) -> Leakage:
        return self.text.leakage

    def asked(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch["tokens"][:, :-1], batch["tokens"][:, 1:]

    def records(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`tokens` and `nats`, (windows, length): each predicted token and -ln of its probability."""
        tokens, nats = [], []
        for batch in loader:
            seen, targets = self.asked(batch)
            logits = model(seen).logits.float()
            nats.append(F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").cpu())
            tokens.append(targets.cpu())
        return {"tokens": torch.cat(tokens), "nats": torch.cat(nats)}

    def metrics(self, records: dict[str, Tensor]) -> dict[str, Metric]:
        return bits.metrics(self.text, records)

    def floors(self, split: str) -> dict[str, float]:
        return cached_floors(self.text, split)

    def picture(self, records: dict[str, Tensor]) -> "Figure":
        return bits.picture(records)

    def examples(self, model: nn.Module, context: Context) -> str:
        """The beginnings of two validation documents, and how the model goes on."""
        assert isinstance(model, FullModel)
        language_model = LanguageModel(model, self.text.tokenizer)
        starts = self.text.bytes("validation")[:60], b"def "
        seed = context.noise.initial_seed()
        texts = [language_model.answer(start.decode(errors="ignore"), tokens=80, seed=seed) for start in starts]
        return "\n----\n".join(texts)

    def portray(self, index: int) -> str:
        return bits.beginning(self.text, index)

    def expected_loss(self) -> float:
        """Of a uniform guess: ln V."""
        return math.log(self.config.vocabulary)

    def flops(self) -> float:
        """Of a pass over the whole length, per token."""
        return self.position_flops()

    def save_assets(self, folder: Path) -> None:
        self.text.tokenizer.save(str(folder / "tokenizer.json"))
