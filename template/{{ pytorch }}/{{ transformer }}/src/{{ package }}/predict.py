"""Complete text with a trained run: `load().complete("def read_lines(")`."""

from pathlib import Path

import torch
from jaxtyping import Int
from tokenizers import Tokenizer
from torch import Tensor

from .engine.training.checkpoint import load_weights, weights_of
from .data import END
from .engine.training.device import choose_for_use
from .model import Cache, Transformer
from .engine.core.runs import find, load_config
from .engine.training.seeding import generator


class LanguageModel:
    """A trained model and its tokenizer."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer

    def complete(self, prompt: str, *, tokens: int = 200, temperature: float = 0.8, seed: int = 0) -> str:
        """The prompt and what the model adds to it: at most `tokens` tokens, fewer where it ends the text.

        The same seed gives the same text; temperature 0 takes the likeliest token each time.
        """
        end = self.tokenizer.token_to_id(END)
        ids = [end, *self.tokenizer.encode(prompt, add_special_tokens=False).ids]
        new = generate(self.model, torch.tensor([ids]), tokens, temperature, seed)[0].tolist()
        if end in new:
            new = new[: new.index(end)]
        return prompt + str(self.tokenizer.decode(new))


@torch.no_grad()
def generate(
    model: Transformer, prompt: Int[Tensor, "B T"], tokens: int, temperature: float, seed: int
) -> Int[Tensor, "B new"]:
    """Sample `tokens` tokens after each prompt.

    Where the context is full, generation goes on from its last half.
    """
    device = next(model.parameters()).device
    noise = generator(device, seed)
    context = model.config.context
    model.eval()
    cache, pending = Cache.empty(model.config.layers), prompt[:, -context:].to(device)
    text = pending
    for _ in range(tokens):
        if cache.seen + pending.shape[1] > context:
            cache, pending = Cache.empty(model.config.layers), text[:, -(context // 2) :]
        logits = model(pending, cache)[:, -1].float()
        pending = sample(logits, temperature, noise)
        text = torch.cat((text, pending), dim=1)
    return text[:, text.shape[1] - tokens :].cpu()


def sample(logits: Tensor, temperature: float, noise: torch.Generator) -> Int[Tensor, "B 1"]:
    """One token for each row of logits (B, V)."""
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=noise)


def load(run: str | Path | None = None) -> LanguageModel:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder = find(str(run) if run else None)
    config = load_config(folder)
    model = Transformer(config.model)
    load_weights(model, weights_of(folder))
    device = choose_for_use(config.train)
    return LanguageModel(model.to(device.torch_device).eval(), Tokenizer.from_file(str(folder / "tokenizer.json")))
