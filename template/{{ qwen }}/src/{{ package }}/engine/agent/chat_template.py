"""Conversations in a model's own chat template, and which of their tokens are learned.

A turn of the assistant begins where the prompt ends that the model is given when it plays, and ends with the token that
ends a turn. Exactly that is supervised: the prompt of each turn is rendered, and has to be how the whole text begins. A
turn with the `weight` 0 is not learned, as in OpenAI's files. Prompts and turns are tokenized apart, as they are when a
model writes a turn.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase

from ..core.errors import Problem
from ..task import Message, Tools

END = "<|im_end|>"
"""The token that ends a turn, in every model of the family."""
IGNORED = -100
"""The label of a token that is not learned: PyTorch's, TRL's and transformers' convention."""
CONTROL = re.compile(r"<\|\w+\|>")
"""The form of the family's control tokens."""
FOLLOWS = {
    "system": {"user"},
    "user": {"assistant"},
    "assistant": {"user", "tool"},
    "tool": {"assistant", "tool"},
}
"""Which roles may come after which."""


class Example(NamedTuple):
    """One conversation as a model is trained on it."""

    input_ids: list[int]
    labels: list[int]
    """The tokens that are learned; `IGNORED` at all others."""


def encoded(tokenizer: PreTrainedTokenizerBase, messages: list[Message], tools: Tools) -> Example:
    """The tokens of a conversation, and those of them that the assistant wrote.

    Raises:
        Problem: the conversation is not one that can be learned from, or the template renders it differently in a
            prompt.
    """
    validate(messages, tools)
    pieces = list(split(tokenizer, messages, tools))
    ids: list[list[int]] = tokenizer([text for text, _ in pieces], add_special_tokens=False)["input_ids"]
    tokens, labels = [], []
    for (_, learned), piece in zip(pieces, ids, strict=True):
        tokens += piece
        labels += piece if learned else [IGNORED] * len(piece)
    return Example(tokens, labels)


def split(tokenizer: PreTrainedTokenizerBase, messages: list[Message], tools: Tools) -> Iterable[tuple[str, bool]]:
    """The text of a conversation in order, in pieces that are learned and pieces that are not."""
    text = rendered(tokenizer, messages, tools)
    position = 0
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = prompted(tokenizer, messages[:number], tools)
        if not text.startswith(prompt):
            raise Problem(
                f"the chat template writes message {number} differently when more follows, so what is trained on is "
                "not what the model is asked: choose an Instruct model of Qwen2.5 or Qwen3"
            )
        end = text.index(END, len(prompt)) + len(END)
        yield text[position : len(prompt)], False
        yield text[len(prompt) : end], message.get("weight") != 0
        position = end


def rendered(tokenizer: PreTrainedTokenizerBase, messages: list[Message], tools: Tools) -> str:
    """A conversation that ends with the assistant, up to the end of that turn.

    A user's message behind it is rendered too and taken away: the hybrid models of Qwen3 put an empty thought into the
    last turn alone, which no prompt has.
    """
    text = _applied(tokenizer, [*messages, {"role": "user", "content": ""}], tools, prompt=False)
    return text[: text.rindex(END, 0, text.rindex("<|im_start|>user")) + len(END)]


def prompted(tokenizer: PreTrainedTokenizerBase, messages: list[Message], tools: Tools) -> str:
    """What a model is given to write the next turn."""
    return _applied(tokenizer, messages, tools, prompt=True)


def _applied(tokenizer: PreTrainedTokenizerBase, messages: list[Message], tools: Tools, prompt: bool) -> str:
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=prompt)
    assert isinstance(text, str)
    return text


def validate(messages: list[Message], tools: Tools) -> None:
    """Refuse what a template would render wrongly without a word.

    Raises:
        Problem: the roles do not alternate, a message holds a control token, or a call is not one of a tool.
    """
    _require(bool(messages), 0, "is missing")
    roles = [message.get("role") for message in messages]
    _require(roles[:1] in (["system"], ["user"]), 0, f"has the role {roles[:1]}, not system or user")
    _require(roles[-1] == "assistant", len(roles) - 1, "is the last and not the assistant's")
    for number, (before, after) in enumerate(pairwise(roles), 1):
        _require(after in FOLLOWS.get(str(before), ()), number, f"has the role {after} after {before}")
    parameters = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools or ()}
    called: set[str] = set()
    for number, message in enumerate(messages):
        content = message.get("content")
        _require(isinstance(content, str), number, "has no text as its content")
        _require(bool(content) or bool(message.get("tool_calls")) or message["role"] == "tool", number, "is empty")
        for call in message.get("tool_calls") or ():
            _require(message["role"] == "assistant", number, "calls a tool and is not the assistant's")
            _validate_call(call, parameters, number)
            called.add(call.get("id"))
        if message["role"] == "tool":
            _require(message.get("tool_call_id") in called, number, "answers a call that was not made")
        _require(not CONTROL.search(str(message)), number, "holds a control token of the model as text")


def _validate_call(call: Any, parameters: dict[str, Any], number: int) -> None:
    holds = isinstance(call, dict) and isinstance(call.get("id"), str) and isinstance(call.get("function"), dict)
    _require(holds, number, "has a call without an id or a function")
    name, arguments = call["function"].get("name"), call["function"].get("arguments")
    _require(isinstance(name, str) and name in parameters, number, f"calls {name}, which is no tool")
    # Qwen2.5's template writes a text of JSON as a text in quotes.
    _require(isinstance(arguments, dict), number, f"calls {name} with arguments that are no dict")
    expected = parameters[name]
    unknown = arguments.keys() - expected["properties"].keys()
    _require(not unknown, number, f"calls {name} with unknown arguments: {', '.join(sorted(unknown))}")
    missing = set(expected.get("required", ())) - arguments.keys()
    _require(not missing, number, f"calls {name} without {', '.join(sorted(missing))}")


def _require(holds: bool, number: int, what: str) -> None:
    if not holds:
        raise Problem(f"message {number} {what}: correct the trajectory")
