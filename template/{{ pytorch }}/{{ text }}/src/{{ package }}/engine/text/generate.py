"""Text from a language model, token by token."""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from ..core.errors import Problem
from ..training.seeding import generator
from .tokens import END, Text

Stream = Callable[[Tensor], Tensor]
"""Takes the next tokens (B, T), and returns the logits (B, V) after the last; it remembers what it has seen."""


@runtime_checkable
class Streaming(Protocol):
    """A language model that need not read again what it has read."""

    def stream(self) -> Stream:
        """A stream that has seen nothing."""
        ...


def complete(
    model: Streaming, tokenizer: Tokenizer, prompt: str, *, context: int, tokens: int, temperature: float, seed: int
) -> str:
    """The prompt and what the model adds to it: at most `tokens` tokens, fewer where it ends the text.

    The same seed gives the same text; temperature 0 takes the likeliest token each time.

    Raises:
        Problem: the temperature or the number of tokens is below zero or no number, or the prompt is not text.
    """
    if not 0 <= temperature < math.inf or tokens < 0:
        raise Problem(f"temperature {temperature} and tokens {tokens} must be numbers from 0 up")
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        raise Problem("the prompt is not UTF-8 text: convert it")
    end = tokenizer.token_to_id(END)
    ids = [end, *tokenizer.encode(prompt, add_special_tokens=False).ids]
    new = generate(model, torch.tensor([ids]), context, tokens, temperature, seed)[0].tolist()
    if end in new:
        new = new[: new.index(end)]
    return prompt + str(tokenizer.decode(new))


def continuations(model: Streaming, text: Text, context: int, seed: int) -> str:
    """How the model continues the validation split's beginning, and a definition, for a person to read."""
    starts = text.bytes("validation")[:60], b"def "
    prompts = [start.decode(errors="ignore") for start in starts]
    return "\n----\n".join(
        complete(model, text.tokenizer, prompt, context=context, tokens=80, temperature=0.8, seed=seed)
        for prompt in prompts
    )


@torch.no_grad()
def generate(
    model: Streaming, prompt: Int[Tensor, "B T"], context: int, tokens: int, temperature: float, seed: int
) -> Int[Tensor, "B new"]:
    """Sample `tokens` tokens after each prompt.

    Where the context is full, generation starts again from its last half.
    """
    assert isinstance(model, nn.Module)
    device = next(model.parameters()).device
    noise = generator(device, seed)
    model.eval()
    stream, seen, pending = model.stream(), 0, prompt[:, -context:].to(device)
    text = pending
    for _ in range(tokens):
        if seen + pending.shape[1] > context:
            stream, seen, pending = model.stream(), 0, text[:, -max(1, context // 2) :]
        logits = stream(pending).float()
        seen += pending.shape[1]
        pending = sample(logits, temperature, noise)
        text = torch.cat((text, pending), dim=1)
    return text[:, text.shape[1] - tokens :].cpu()


def sample(logits: Tensor, temperature: float, noise: torch.Generator) -> Int[Tensor, "B 1"]:
    """One token for each row of logits (B, V)."""
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    # Below that, the likeliest token has all the probability, and a quotient may overflow.
    return torch.multinomial((logits / max(temperature, 1e-6)).softmax(-1), 1, generator=noise)
