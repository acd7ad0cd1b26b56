"""AgentBench's two protocols for DB Bench: function calling, as on its main branch, and text, as in version 0.2.

Nothing that a model writes is evaluated: it is read as JSON or as a Python literal, after a look at its size and depth.
"""

import ast
import hashlib
import json
import re
from typing import Any

from .engine.agent import safe_json
from .engine.task import Call, Dialogue, Unreadable

LONGEST = 100_000
"""Characters of a message that are read."""
DEEPEST = 8
"""Brackets inside brackets that are read."""
# Two expressions, since one that spans the call would look for its end again from each beginning.
_OPENING, _CLOSING = re.compile(r"<tool_call>\s*(?=\{)"), re.compile(r"(?<=\})\s*</tool_call>")

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "execute_sql",
            "description": "Executes one SQL statement on the database and returns its result.",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string", "description": "The SQL statement."}},
                "required": ["query"],
                "additionalProperties": False,
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "commit_final_answer",
            "description": "Commits the final answer, after everything else is done.",
            "parameters": {
                "type": "object",
                "properties": {
                    "answers": {"type": "array", "items": {"type": "string"}, "description": "The final answers."}
                },
                "required": ["answers"],
                "additionalProperties": False,
            },
        },
    },
]

_TASK = """You get a question and work on a MySQL database with SQL until you can answer it.
In every turn, first write down what you think and why, and then do one of two things.
"""
_RULES = """One statement is executed in a turn; write it on one line. You get MySQL's raw result, cut where it is long.
Commit an answer only when you are sure of it, since there is just one: it has to be exactly right, with nothing added.
If you were asked to change the database, the change counts and the answer may be anything."""


class Functions:
    """Function calling. A call may stand in `tool_calls`, or in the text between `<tool_call>` and `</tool_call>`.

    Of several calls, the first counts.
    """

    system = (
        _TASK
        + "To execute a statement, call `execute_sql`. To answer, call `commit_final_answer`; nothing else counts.\n"
        + _RULES
    )
    tools: list[dict[str, Any]] | None = TOOLS
    forgiving = True

    def read(self, message: dict[str, Any]) -> Call:
        calls = message.get("tool_calls") or _written(str(message.get("content") or ""))
        if not calls:
            raise Unreadable("Error: there is no call of a function. Call execute_sql or commit_final_answer.")
        try:
            function = calls[0]["function"]
            name, arguments = function["name"], function["arguments"]
        except (KeyError, TypeError, IndexError):
            raise Unreadable("Error: the call cannot be read. Its format is wrong.") from None
        return _call(name, _json(arguments) if isinstance(arguments, str) else arguments)

    def write(self, call: Call, thought: str) -> dict[str, Any]:
        function = {"name": call.name, "arguments": dict(call.arguments)}
        return {
            "role": "assistant",
            "content": thought,
            "tool_calls": [{"id": _identity(function), "type": "function", "function": function}],
        }

    def observe(self, text: str, call_id: str | None) -> dict[str, Any]:
        """A message of the tool; where there was no call, one of the user, since servers refuse the other."""
        if call_id is None:
            return {"role": "user", "content": text}
        return {"role": "tool", "tool_call_id": call_id, "content": text}


class Text:
    """Plain text: `Action: Operation` and a statement in a block, or `Action: Answer` and a list."""

    system = (
        _TASK
        + "To execute a statement, write it in this form, with nothing else in the block:\n"
        + "Action: Operation\n```sql\nSELECT * FROM table WHERE condition;\n```\n"
        + 'To answer, write it in this form:\nAction: Answer\nFinal Answer: ["ANSWER1", "ANSWER2", ...]\n'
        + "What has neither form ends the task as a failure.\n"
        + _RULES
    )
    tools: list[dict[str, Any]] | None = None
    forgiving = False

    def read(self, message: dict[str, Any]) -> Call:
        content = str(message.get("content") or "")[:LONGEST]
        action = (_between(content, "Action: ", "\n") or "").strip()
        block = _between(content, "```sql\n", "\n```")
        if action == "Operation" and block is not None:
            return Call("execute_sql", {"query": " ".join(block.strip().split("\n"))})
        answer = re.search(r"\nFinal Answer:(.*)", content)
        if action == "Answer" and answer:
            return Call("commit_final_answer", {"answers": _listed(answer[1].strip())})
        raise Unreadable("Error: there is neither an Operation with a statement in a block nor an Answer.")

    def write(self, call: Call, thought: str) -> dict[str, Any]:
        if call.name == "execute_sql":
            move = f"Action: Operation\n```sql\n{call.arguments['query']}\n```"
        else:
            move = f"Action: Answer\nFinal Answer: {json.dumps(call.arguments['answers'], ensure_ascii=False)}"
        return {"role": "assistant", "content": f"{thought}\n{move}"}

    def observe(self, text: str, call_id: str | None) -> dict[str, Any]:
        return {"role": "user", "content": text}


PROTOCOLS: dict[str, Dialogue] = {"functions": Functions(), "text": Text()}


def call_id(message: dict[str, Any]) -> str | None:
    """What `observe` needs to answer a message: the name of its first call, if it has one."""
    calls = message.get("tool_calls") or _written(str(message.get("content") or ""))
    return str(calls[0].get("id") or "call") if calls and isinstance(calls[0], dict) else None


def _between(text: str, opening: str, closing: str) -> str | None:
    """What stands behind the first `opening` and before the next `closing`."""
    inside, closed, _ = text.partition(opening)[2].partition(closing)
    return inside if closed else None


def _written(content: str) -> list[dict[str, Any]]:
    """The first call in a text, as Qwen's template writes it."""
    text = content[:LONGEST]
    opening = _OPENING.search(text)
    closing = _CLOSING.search(text, opening.end()) if opening else None
    function = _json(text[opening.end() : closing.start()]) if opening and closing else None
    return [{"function": function, "id": _identity(function)}] if isinstance(function, dict) else []


def _identity(function: object) -> str:
    text = json.dumps(function, sort_keys=True)
    return f"call_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _call(name: object, arguments: object) -> Call:
    """A move with arguments of the right types; like AgentBench, it takes the first whatever it is called."""
    value = next(iter(arguments.values()), None) if isinstance(arguments, dict) else None
    if name == "execute_sql" and isinstance(value, str):
        return Call("execute_sql", {"query": value})
    if name == "commit_final_answer" and value is not None:
        return Call("commit_final_answer", {"answers": _listed(value) if isinstance(value, str) else _texts(value)})
    if name not in ("execute_sql", "commit_final_answer"):
        raise Unreadable("Error: there is no such function. Call execute_sql or commit_final_answer.")
    raise Unreadable(f"Error: {name} was called without its argument, or with one of another type.")


def _listed(text: str) -> list[str]:
    """A list that a model wrote, in JSON or as Python writes it; a text that is neither is the only answer."""
    if safe_json.within(text, LONGEST, DEEPEST) and text.startswith(("[", "(")):
        for read in (json.loads, ast.literal_eval):
            try:
                return _texts(read(text))
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return [text.strip("[]") if text.startswith("[") else text]


def _texts(value: object) -> list[str]:
    """Answers as texts; a row of one value, as the database writes it, is that value."""
    if not isinstance(value, list | tuple):
        return [str(value)]
    rows = (item[0] if isinstance(item, list | tuple) and len(item) == 1 else item for item in value)
    return ["" if item is None else str(item) for item in rows]


def _json(text: str) -> object:
    try:
        return safe_json.value(text, LONGEST, DEEPEST)
    except safe_json.TooLarge:
        raise Unreadable("Error: the call cannot be read. It is too long or too deep.") from None
    except ValueError:
        raise Unreadable("Error: the call cannot be read. It is no valid JSON.") from None
