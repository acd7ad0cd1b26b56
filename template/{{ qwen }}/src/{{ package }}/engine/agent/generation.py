"""Policies that generate with a model on this machine: transformers, or vLLM where it is installed.

Both are given the tokens of the model's own chat template, so that one plays as the other does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from ..core.errors import Problem
from ..task import Message
from .chat_template import END, prompted
from .rollout import Turn
from .tool_calls import message_of

Tokens = list[int]
Generate = Callable[[list[Tokens]], list[str]]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How a model writes."""

    length: int
    """Tokens of a conversation, at most."""
    tokens: int
    """Of them, those of one message, at most."""
    temperature: float = 0.0
    """0 takes the likeliest token."""
    seed: int = 0


class Transformers:
    """Generates with a loaded model, for all conversations in one batch."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, writing: Writing) -> None:
        self.model, self.tokenizer, self.writing = model, tokenizer, writing
        self.batches = 0
        self.ends = ends(tokenizer)
        # All that a model's own generation_config.json could set is set here: evaluation is not to depend on it.
        self.config = GenerationConfig(
            max_new_tokens=writing.tokens,
            do_sample=writing.temperature > 0,
            temperature=writing.temperature or 1.0,
            top_k=0 if writing.temperature else 50,
            top_p=1.0,
            repetition_penalty=1.0,
            eos_token_id=self.ends,
            pad_token_id=self.ends[0],
            use_cache=True,
        )

    def answer(self, turns: Sequence[Turn]) -> list[Message | None]:
        return answered(turns, self.tokenizer, self.writing, self.generate)

    @torch.no_grad()
    def generate(self, prompts: list[Tokens]) -> list[str]:
        """What the model writes after each prompt. Its mode is left as it was found."""
        width, device = max(map(len, prompts)), self.model.device
        padded = [[self.ends[0]] * (width - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        training = self.model.training
        self.batches += 1
        self.model.eval()
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(int(np.random.SeedSequence((self.writing.seed, self.batches)).generate_state(1)[0]))
            out = self.model.generate(
                input_ids=torch.tensor(padded, device=device),
                attention_mask=torch.tensor(mask, device=device),
                generation_config=self.config,
            )
        self.model.train(training)
        return [self.decoded(row) for row in out[:, width:].tolist()]

    def decoded(self, row: Tokens) -> str:
        """A message, without what ends it."""
        stop = next((place for place, token in enumerate(row) if token in self.ends), len(row))
        return str(self.tokenizer.decode(row[:stop], skip_special_tokens=True))


class VLLM:
    """Generates with vLLM, which takes the GPU for itself."""

    def __init__(self, folder: Path, tokenizer: PreTrainedTokenizerBase, writing: Writing) -> None:
        """The same as `Transformers`, with a merged model in a folder.

        Raises:
            Problem: vLLM is not installed.
        """
        try:
            from vllm import LLM, SamplingParams
        except ImportError:
            raise Problem("vLLM is not installed: install the extra vllm, or play with transformers") from None
        self.tokenizer, self.writing = tokenizer, writing
        self.engine = LLM(model=str(folder), max_model_len=writing.length, seed=writing.seed)
        self.sampling = SamplingParams(
            temperature=writing.temperature,
            max_tokens=writing.tokens,
            seed=writing.seed,
            stop_token_ids=ends(tokenizer),
        )

    def answer(self, turns: Sequence[Turn]) -> list[Message | None]:
        return answered(turns, self.tokenizer, self.writing, self.generate)

    def generate(self, prompts: list[Tokens]) -> list[str]:
        """What the model writes after each prompt."""
        requests = [{"prompt_token_ids": prompt} for prompt in prompts]
        return [str(one.outputs[0].text) for one in self.engine.generate(requests, self.sampling, use_tqdm=False)]


def ends(tokenizer: PreTrainedTokenizerBase) -> Tokens:
    """The tokens that end a message: the end of a turn, and that of a text, which also pads."""
    return [int(tokenizer.convert_tokens_to_ids(token)) for token in ("<|endoftext|>", END)]


def answered(
    turns: Sequence[Turn], tokenizer: PreTrainedTokenizerBase, writing: Writing, generate: Generate
) -> list[Message | None]:
    """The next messages; None where a conversation leaves no room for one."""
    room = writing.length - writing.tokens
    texts = [prompted(tokenizer, turn.messages, turn.tools) for turn in turns]
    prompts: list[Tokens] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    fitting = [place for place, prompt in enumerate(prompts) if len(prompt) <= room]
    written = dict(zip(fitting, generate([prompts[place] for place in fitting]) if fitting else [], strict=True))
    return [
        message_of(written[place], turn.tools, turn.round) if place in written else None
        for place, turn in enumerate(turns)
    ]
