"""Language modelling: predict each next token, measured in bits per byte.

`engine/task.py` says what each method is for; `engine/text/task.py` has those that do not depend on the model.
"""

from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import DataConfig, ModelConfig
from .data import prepare
from .engine.core.batch import Batch
from .engine.core.errors import require
from .engine.task import Context, Output
from .engine.text.task import TextTask, nats_per_token
from .engine.text.tokens import Text
from .model import Cache, Transformer


class LanguageModeling(TextTask):
    """Next-token prediction on a text."""

    def __init__(self, data: DataConfig, config: ModelConfig) -> None:
        super().__init__(config.vocab_size, config.context_length)
        self.source, self.config = data, config

    @cached_property
    def text(self) -> Text:
        return prepare(self.source.path, self.config.vocab_size, self.division)

    def model(self) -> Transformer:
        return Transformer(self.config)

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        logits, targets = model(batch["tokens"][:, :-1]), batch["tokens"][:, 1:]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return Output(
            functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum"), targets.numel()
        )

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`tokens` and `nats`, (windows, context): each predicted token and -ln of its probability."""
        return nats_per_token(model, loader)

    def flops(self) -> float:
        """Of a forward pass over a whole context, per token.

            query, output                 2 x 2 D D          in each layer
            key, value                    2 x 2 D K C
            gate, up, down                3 x 2 D hidden
            scores, weighted values       2 x 2 D (T + 1) / 2, as a token sees (T + 1) / 2 keys on average
            logits                        2 D V              once

        That is 2 N + 2 layers T D of Kaplan et al. 2020 (arXiv:2001.08361, table 1). PaLM's convention
        (arXiv:2204.02311, appendix B) counts all T keys, those too that the causal kernel leaves out. Norms, rotations
        and the softmax are left out, as there.
        """
        c = self.config
        keys_and_values = 2 * c.kv_heads * (c.width // c.heads)
        weights = c.width * (2 * c.width + keys_and_values + 3 * c.d_ff)
        attention = c.width * (c.context_length + 1)
        return 2.0 * (c.layers * (weights + attention) + c.width * c.vocab_size)

    def checks(self, model: nn.Module, batch: Batch) -> dict[str, str]:
        tokens = batch["tokens"][:1, :-1]
        logits = model(tokens)
        middle = tokens.shape[1] // 2
        later = tokens.clone()
        later[:, middle:] = (later[:, middle:] + 1) % self.config.vocab_size
        leak = float((model(later) - logits)[:, :middle].abs().max())
        require(leak == 0, f"changing tokens from position {middle} on changed earlier logits by {leak:.2e}")
        cache = Cache.empty(self.config.layers)
        parts = [model(part, cache) for part in (tokens[:, :middle], tokens[:, middle:-1], tokens[:, -1:])]
        difference = float((torch.cat(parts, dim=1) - logits).abs().max())
        require(difference < 1e-3, f"logits with the cache differ by {difference:.2e} from those without")
        return {
            "no leak from later tokens": "earlier logits are unchanged to the bit",
            "cached generation": f"largest difference of a logit {difference:.1e}",
        }
