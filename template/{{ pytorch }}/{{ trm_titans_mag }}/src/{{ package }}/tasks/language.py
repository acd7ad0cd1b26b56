"""Language modelling: predict each next token, measured in bits per byte."""

from collections.abc import Iterable
from functools import cached_property

from torch import Tensor, nn

from ..config import Language, ModelConfig
from ..data import prepare
from ..engine.core.batch import Batch
from ..engine.task import Context
from ..engine.text.task import TextTask, nats_per_token
from ..engine.text.tokens import Text
from .sequences import Sequential


class LanguageModeling(TextTask, Sequential):
    """Next-token prediction on a text."""

    def __init__(self, source: Language, config: ModelConfig) -> None:
        TextTask.__init__(self, config.vocab_size, config.length)
        self.source, self.config = source, config

    @cached_property
    def text(self) -> Text:
        return prepare(self.source.path, self.config.vocab_size, self.division)

    def asked(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch["tokens"][:, :-1], batch["tokens"][:, 1:]

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`tokens` and `nats`, (windows, length): each predicted token and -ln of its probability."""
        return nats_per_token(lambda seen: model(seen).logits, loader)

    def flops(self) -> float:
        """Of a pass over the whole length, per token."""
        return self.position_flops()
