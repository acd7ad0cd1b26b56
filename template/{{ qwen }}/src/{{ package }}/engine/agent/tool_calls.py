"""What a model wrote, as a message with at most one call of a tool. Nothing of it is ever evaluated.

Qwen writes a call as JSON between `<tool_call>` and `</tool_call>`. Other models write it into a fence, ```json, and
some with a comma too many: that is read too, and marked as `fenced`, so that it can be counted. All else stays text,
and the protocol tells the model what is wrong with it.
"""

import json
import re
from typing import Any

from ..task import Message, Tools
from . import safe_json
from .chat_template import CONTROL

OPENING, CLOSING = "<tool_call>", "</tool_call>"
THOUGHT = "</think>"
"""What ends the thoughts of a model that thinks before it speaks; they are no part of the conversation."""
FENCE, FENCED = "```json", "fenced"
SURPLUS = re.compile(r",(?=\s*[}\]])")
"""A comma behind which nothing comes."""
LONGEST = 100_000
"""Characters of a call that are read."""
DEEPEST = 16
"""Brackets inside brackets that are read: chat templates write calls recursively."""


def clean(text: str) -> str:
    """A text without half characters, which no tokenizer takes, and without the tokens that end or begin a turn."""
    return CONTROL.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def message_of(text: str, tools: Tools, number: int) -> Message:
    """The message of a model's text; `number` names its call."""
    spoken = clean(text).rpartition(THOUGHT)[2].strip()
    before, _, rest = spoken.partition(OPENING)
    written, closed, _ = rest.partition(CLOSING)
    call = call_of(written, number) if tools and closed else None
    if call is None:
        return (tools and OPENING not in spoken and fenced(spoken, number)) or {"role": "assistant", "content": spoken}
    return {"role": "assistant", "content": before.strip(), "tool_calls": [call]}


def fenced(spoken: str, number: int) -> Message | None:
    """The message whose call stands in a fence."""
    before, _, rest = spoken.partition(FENCE)
    written, closed, _ = rest.partition("```")
    call = (call_of(written, number) or call_of(SURPLUS.sub("", written[:LONGEST]), number)) if closed else None
    return call and {"role": "assistant", "content": before.strip(), "tool_calls": [call], FENCED: True}


def call_of(written: str, number: int) -> dict[str, Any] | None:
    """A call as chat templates take it; None where the text is no JSON object with a name and arguments."""
    function = read(written)
    if not isinstance(function, dict):
        return None
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def read(text: str) -> Any:
    """The value of a JSON text; None where it is none, too long or too deep."""
    try:
        written = json.dumps(safe_json.value(text, LONGEST, DEEPEST), ensure_ascii=False)
        # The escapes of JSON can make half characters and control tokens that the text did not have.
        return json.loads(clean(written))
    except ValueError:
        return None
