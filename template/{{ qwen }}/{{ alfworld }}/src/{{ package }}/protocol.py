"""The two ways in which AgentBench lets a model speak to ALFWorld.

`functions` calls the tool `take_action`, as on AgentBench's main branch. `text` is that of its version 0.2: a thought
and an action, each behind its word. The environment's side is the same in both: what is seen, then what can be done.
"""

import re
from typing import Any

from .engine.agent import safe_json
from .engine.task import Call, Dialogue, Unreadable

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "take_action",
            "description": "Take an action.",
            "parameters": {
                "type": "object",
                "properties": {"action": {"type": "string", "description": "The action you would like to take"}},
                "required": ["action"],
                "additionalProperties": False,
            },
        },
    }
]
LONGEST = 10_000
"""Characters of a call or a message that are read."""
DEEPEST = 8
"""Brackets inside brackets that are read."""
ACTION = re.compile(r"ACTION:[ \t]*(\S.*)", re.IGNORECASE)
HOUSEHOLD = (
    "You are a robot in a household, and have a task to do there. At first you are told which pieces of furniture you "
    "see, and your task. You find out what lies in or on them by going there, and by opening what is closed. You carry "
    "one object at a time. After each of your actions you are told what happened and which actions are possible now; "
    'if "Nothing happens", the action was not one of these: try another. '
)


def take(action: str) -> Call:
    """The only kind of call there is."""
    return Call("take_action", {"action": action})


class Functions:
    """Calls of a tool."""

    system = f"{HOUSEHOLD}Act by calling the tool take_action with one of the possible actions, word for word."
    forgiving = True
    """Whether an episode continues after a move that cannot be read."""
    tools: list[dict[str, Any]] | None = TOOLS

    def read(self, message: dict[str, Any]) -> Call:
        """The first call of a message; of more, the others are not looked at.

        Raises:
            Unreadable: there is none, or it is not one of `take_action`.
        """
        calls = message.get("tool_calls")
        if not isinstance(calls, list) or not calls:
            raise Unreadable("There is no tool call in this message: call take_action.")
        try:
            function = calls[0]["function"]
            arguments = parsed(function["arguments"])
            if function["name"] == TOOLS[0]["function"]["name"] and isinstance(action := arguments["action"], str):
                return take(action[:LONGEST])
        except (KeyError, TypeError, ValueError):
            pass
        raise Unreadable('This tool call cannot be read: call take_action with {"action": "…"}.')

    def write(self, call: Call, thought: str) -> dict[str, Any]:
        """An assistant's message that thinks and calls. The arguments are a table, as chat templates want them."""
        function = {"name": call.name, "arguments": dict(call.arguments)}
        return {"role": "assistant", "content": thought, "tool_calls": [{"type": "function", "function": function}]}

    def observe(self, text: str, call_id: str | None = None) -> dict[str, Any]:
        """The tool's answer, to the call of this id where calls have one."""
        answer = {"role": "tool", "name": "take_action", "content": text}
        return answer if call_id is None else {**answer, "tool_call_id": call_id}


class Text:
    """A thought and an action, in words."""

    system = (
        f"{HOUSEHOLD}Answer each time in this form and with nothing else:\n"
        "THOUGHT: what you think\nACTION: one of the possible actions, word for word"
    )
    forgiving = True
    """Whether an episode continues after a move that cannot be read."""
    tools: list[dict[str, Any]] | None = None

    def read(self, message: dict[str, Any]) -> Call:
        """What stands behind the first `ACTION:`, to the end of its line.

        Raises:
            Unreadable: nothing does.
        """
        content = message.get("content")
        found = ACTION.search(content[:LONGEST]) if isinstance(content, str) else None
        if not found:
            raise Unreadable(
                "There is no action in this message: answer with THOUGHT: … and on the next line ACTION: …"
            )
        return take(found[1].strip())

    def write(self, call: Call, thought: str) -> dict[str, Any]:
        """An assistant's message that thinks and acts."""
        return {"role": "assistant", "content": f"THOUGHT: {thought}\nACTION: {call.arguments['action']}"}

    def observe(self, text: str, call_id: str | None = None) -> dict[str, Any]:
        """What happened; it comes as from the user."""
        return {"role": "user", "content": text}


PROTOCOLS: dict[str, Dialogue] = {"functions": Functions(), "text": Text()}


def parsed(arguments: Any) -> dict[str, Any]:
    """A call's arguments: JSON from an endpoint, a table from a chat template."""
    if isinstance(arguments, str):
        arguments = safe_json.value(arguments, LONGEST, DEEPEST)
    if not isinstance(arguments, dict):
        raise TypeError
    return arguments
