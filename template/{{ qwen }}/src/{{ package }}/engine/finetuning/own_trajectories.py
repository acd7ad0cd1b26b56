"""A person's own trajectories: a .jsonl or .parquet file, with the shapes of messages that are in use.

A row is a list of messages, or holds one as `messages` (OpenAI, TRL), `conversations` (ShareGPT), or `prompt` and
`completion` (TRL). What is not read of it is named, and what cannot be learned from is refused with its line.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..agent.chat_template import validate
from ..agent.tool_calls import read as read_json
from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.files import lines_of
from ..task import Message, Tools

ROLES = {"human": "user", "gpt": "assistant", "function": "tool", "observation": "tool", "function_call": "assistant"}
"""Other names for them."""
READ = {"role", "from", "content", "value", "tool_calls", "function_call", "tool_call_id", "name", "weight"}
"""The keys of a message that are read."""
HELD_OUT = 10
"""One part in so many is for validation."""

Row = dict[str, Any]


def rows_of(file: Path) -> Iterator[tuple[str, Any]]:
    """Every row, and where it stands.

    Raises:
        Problem: the file cannot be read, or a line of it is no JSON.
    """
    try:
        if file.suffix == ".parquet":
            from pyarrow import parquet  # type: ignore[import-untyped]

            for number, row in enumerate(parquet.read_table(file).to_pylist(), 1):
                yield f"{file}, row {number}", without_nulls(row)
            return
        if file.suffix != ".jsonl":
            raise Problem(f"--data.file {file} is neither .jsonl nor .parquet: convert it")
        lines = lines_of(file)
    except (OSError, ValueError) as error:  # pyarrow's errors are some of these
        raise Problem(f"--data.file {file} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{file}, line {number}"
            try:
                yield place, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise Problem(f"{place}, is no JSON ({error}): correct it") from None


def without_nulls(value: Any) -> Any:
    """A value of a .parquet file, whose rows have null for every key that another row has."""
    if isinstance(value, dict):
        return {name: without_nulls(held) for name, held in value.items() if held is not None}
    return [without_nulls(held) for held in value] if isinstance(value, list) else value


def conversations(file: Path, tools: Tools) -> list[list[Message]]:
    """The conversations of a file, as chat templates take them. What is not read of its rows is named on stderr.

    Raises:
        Problem: there is none, or one cannot be learned from.
    """
    found, unread = [], set[str]()
    for place, row in rows_of(file):
        try:
            messages = messages_of(row, unread)
            validate(messages, tools)
            json.dumps(messages, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Problem(f"{place}: half a character, such as \\ud800, stands in it: correct the trajectory") from None
        except Problem as problem:
            raise Problem(f"{place}: {problem}") from None
        found.append(messages)
    if not found:
        raise Problem(f"--data.file {file} holds no trajectory")
    if unread:
        print(f"{file}: not read are the keys {', '.join(sorted(unread))}", file=sys.stderr)
    return found


def messages_of(row: Any, unread: set[str]) -> list[Message]:
    """The messages of a row; keys that mean nothing here are added to `unread`."""
    given = row
    if isinstance(row, dict):
        name = next((name for name in ("messages", "conversations", "completion") if name in row), "")
        given = [*row.get("prompt", ()), *row[name]] if name == "completion" else row.get(name)
        unread |= row.keys() - {name, "prompt" if name == "completion" else name}
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given) or not given:
        raise Problem('there are no messages: write {"messages": [{"role": "user", "content": "…"}, …]}')
    messages: list[Message] = []
    for number, one in enumerate(given):
        messages.append(message_of(one, number, messages))
        unread |= {f"messages.{key}" for key in one.keys() - READ}
    return messages


def message_of(given: Row, number: int, before: Sequence[Message]) -> Message:
    """A message as chat templates take it. Calls without an id get one, and so do the answers to them."""
    asked = given.get("role", given.get("from"))
    message: Message = {
        "role": ROLES.get(asked, asked) if isinstance(asked, str) else asked,
        "content": text_of(given.get("content", given.get("value"))),
    }
    calls = given.get("tool_calls") or []
    if given.get("function_call"):
        calls = [given["function_call"]]
    if asked == "function_call":
        calls, message["content"] = [message["content"]], ""
    calls = read_json(calls) if isinstance(calls, str) else calls
    if not isinstance(calls, list):
        raise Problem(f"message {number} has tool_calls that are no list: correct the trajectory")
    if calls:
        message["tool_calls"] = [call_of(call, f"call_{number}_{place}", number) for place, call in enumerate(calls)]
    if message["role"] == "tool":
        message["tool_call_id"] = given.get("tool_call_id") or answered(before)
    if (weight := given.get("weight")) is not None:
        if weight not in (0, 1):
            raise Problem(f"message {number} has the weight {weight}: write 1 to learn it, and 0 to leave it out")
        message["weight"] = int(weight)
    return message


def text_of(content: Any) -> Any:
    """The text of a message that may be null, or come in parts."""
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return "".join(str(part.get("text") or "") for part in content)
    return "" if content is None else content


def call_of(given: Any, identity: str, number: int) -> dict[str, Any]:
    """A call with its arguments as a table, whether it was written with `function` around it or as JSON."""
    call = read_json(given) if isinstance(given, str) else given
    if not isinstance(call, dict):
        raise Problem(f"message {number} has a call that is {call}: correct the trajectory")
    function = call.get("function") or call
    if not isinstance(function, dict):
        raise Problem(f"message {number} has a call whose function is {function}: correct the trajectory")
    arguments = function.get("arguments")
    values = read_json(arguments) if isinstance(arguments, str) else arguments or {}
    return {
        "id": call.get("id") or identity,
        "type": "function",
        "function": {"name": function.get("name"), "arguments": arguments if values is None else values},
    }


def answered(before: Sequence[Message]) -> str | None:
    """The first call that has no answer yet."""
    given = {message.get("tool_call_id") for message in before}
    calls = (call["id"] for message in before for call in message.get("tool_calls", ()))
    return next((identity for identity in calls if identity not in given), None)


def divided(found: Sequence[list[Message]], seed: int) -> dict[str, list[list[Message]]]:
    """Training and validation. Conversations that begin with the same words of the user stay together.

    Raises:
        Problem: all of them do.
    """
    groups: dict[str, list[list[Message]]] = {}
    for messages in found:
        groups.setdefault(asked_in(messages), []).append(messages)
    if len(groups) < 2:
        raise Problem("--data.file: all trajectories begin with the same words, so that none can be held out")
    order = sorted(groups, key=lambda words: fingerprint(f"{seed} {words}"))
    held_out = order[: max(1, len(order) // HELD_OUT)]
    return {
        "train": [messages for words, group in groups.items() if words not in held_out for messages in group],
        "validation": [messages for words in held_out for messages in groups[words]],
    }


def asked_in(messages: Sequence[Message]) -> str:
    """The first words of the user, whatever the white space."""
    return next((" ".join(one["content"].split()) for one in messages if one["role"] == "user"), "")
