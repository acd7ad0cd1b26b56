"""What is learned position by position, each seeing those before it alone: one supervision step, no halting.

One decision to halt for a whole sequence would tell its first positions something of its last ones.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..engine.core.batch import Batch
from ..engine.core.errors import require
from ..engine.task import Context, Output
from ..model import FullModel
from ..task import Recursive, matters

IGNORED = -100
"""The target of a position where nothing is asked."""


class Sequential(Recursive):
    """A target for each position, or `IGNORED`."""

    unit: ClassVar[str] = "tokens"

    def asked(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The tokens and the targets, both (B, T)."""
        return batch["tokens"], batch["targets"]

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        tokens, targets = self.asked(batch)
        logits = model(tokens).logits
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        nats = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        return Output(nats, (targets != IGNORED).sum())

    def checks(self, model: nn.Module, batch: Batch) -> dict[str, str]:
        assert isinstance(model, FullModel)
        tokens = self.asked(batch)[0][:1]
        logits = model(tokens).logits
        middle = tokens.shape[1] // 2
        later = tokens.clone()
        later[:, middle:] = (later[:, middle:] + 1) % self.config.vocab_size
        leak = float((model(later).logits - logits)[:, :middle].abs().max())
        require(leak == 0, f"changing tokens from position {middle} on changed earlier logits by {leak:.2e}")
        states = model.streams()
        pieces = (tokens[:, :middle], tokens[:, middle:-1], tokens[:, -1:])
        parts = [model(piece, states=states).logits for piece in pieces]
        difference = float((torch.cat(parts, dim=1) - logits).abs().max())
        require(difference < 1e-3, f"logits in pieces differ by {difference:.2e} from those of the whole")
        return {
            "no leak from later tokens": f"earlier logits are unchanged to the bit after {model.recursion.calls} calls",
            "in pieces": f"largest difference of a logit {difference:.1e}",
            **matters(model, tokens),
        }
