"""A policy that asks a server which speaks OpenAI's protocol: vLLM, llama.cpp, Ollama or a paid one."""

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..core.errors import Problem
from ..task import Message, Tools
from .rollout import AT_ONCE, Turn
from .tool_calls import CLOSING, FENCED, OPENING, call_of, clean, message_of, read

KEY = "OPENAI_API_KEY"
"""The variable of the environment that holds the key, where the server wants one."""
TIMEOUT = 120.0
"""Seconds for one answer."""
PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt."""
LARGEST = 10_000_000
"""Bytes of an answer that are read."""


LONG = re.compile(r"context.{0,10}(length|size|window)|prompt is too long|token count", re.IGNORECASE | re.DOTALL)
"""What servers say of a conversation that is too long: vLLM, SGLang and OpenAI; llama.cpp; Anthropic; Google."""
SILENCE = "(no answer)"
"""Stands for a message without text and call, which some servers refuse in a conversation."""


class TooLong(Exception):
    """The conversation has more tokens than the server's model takes."""


class Unpassed(Exception):
    """The model wrote what its server cannot pass on."""


class Endpoint:
    """The model of this name on the server at this URL, which ends in /v1 as a rule."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        tokens: int,
        seed: int = 0,
        timeout: float = TIMEOUT,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise Problem(f"the endpoint {url} is no URL: write it as http://localhost:8000/v1")
        self.url = url.rstrip("/") + "/chat/completions"
        self.options = {"model": model, "max_tokens": tokens, "temperature": 0.0, "seed": seed}
        self.timeout, self.pauses = timeout, pauses

    def answer(self, turns: Sequence[Turn]) -> list[Message | None]:
        """Ask for all of them at once.

        Raises:
            Problem: the server cannot be reached, refuses, or says something else than a message.
        """
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(self._answer, turns))

    def _answer(self, turn: Turn) -> Message | None:
        body = self.options | {"messages": [sent(message) for message in turn.messages]}
        if turn.tools:
            body["tools"] = turn.tools
        try:
            answer = self.post(json.dumps(body).encode())
            message = answer["choices"][0]["message"]
            return received(message.get("content"), message.get("tool_calls"), turn.tools, turn.round)
        except TooLong:
            return None
        except (Unpassed, RecursionError):  # the latter is of brackets in brackets in brackets
            return {"role": "assistant", "content": ""}
        except (KeyError, IndexError, TypeError, AttributeError):
            raise Problem(f"{self.url} does not answer as OpenAI's protocol asks: {str(answer)[:200]}") from None

    def post(self, body: bytes) -> Any:
        """The server's answer, after further attempts where it is busy or cannot be reached.

        Raises:
            Problem: it refuses, or there is none after the last attempt.
            TooLong: the conversation is.
            Unpassed: it fails at what the model wrote.
        """
        reason = ""
        for pause in (0.0, *self.pauses):
            time.sleep(pause)
            try:
                return self._posted(body)
            except urllib.error.HTTPError as error:
                said = error.read(2000).decode("utf-8", "replace")
                reason = f"status {error.code}: {said[:200]}"
                judge(said)
                refuse(self.url, error.code, reason)
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = str(error) or type(error).__name__
        raise Problem(f"{self.url} gives no answer ({reason}): is the server running, and is the URL right?")

    def _posted(self, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        if os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {os.environ[KEY]}"
        request = urllib.request.Request(self.url, body, headers)  # noqa: S310  the scheme was looked at
        with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310
            answer = json.loads(response.read(LARGEST))
        if isinstance(answer, dict) and "choices" not in answer and "error" in answer:
            judge(str(answer["error"]))  # some servers say so with the status of success
        return answer


def judge(said: str) -> None:
    """Whether an error belongs to this conversation alone, whatever status it comes with: llama.cpp's is 400 or 500.

    Raises:
        TooLong: the conversation is.
        Unpassed: llama.cpp cannot make a call of what the model wrote.
    """
    if LONG.search(said):
        raise TooLong
    if "failed to parse input" in said.lower():
        raise Unpassed


def refuse(url: str, code: int, reason: str) -> None:
    """Give up where another attempt would be answered in the same way: a status from 400 on, but 408 and 429.

    Raises:
        Problem: the server does not want this request.
    """
    if code < 500 and code not in {408, 429}:
        advice = f"set {KEY}" if code in {401, 403} else "check the URL and the model's name"
        raise Problem(f"{url} refuses with {reason}: {advice}")


def sent(message: Message) -> Message:
    """A message as the protocol has it: the arguments of a call are a text of JSON, and no text is empty."""
    message = {name: value for name, value in message.items() if name != FENCED}
    calls = [
        call | {"function": call["function"] | {"arguments": json.dumps(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    if calls:
        return message | {"content": message["content"] or None, "tool_calls": calls}
    return message | {"content": message["content"] or SILENCE} if message["role"] == "assistant" else message


def received(content: Any, calls: Any, tools: Tools, number: int) -> Message:
    """The server's message. A call that cannot be read becomes text, as the model would have written it."""
    text = content if isinstance(content, str) else ""
    if not calls or not tools:
        return message_of(text, tools, number)
    function = calls[0]["function"]
    arguments = function["arguments"]
    values = read(arguments) if isinstance(arguments, str) else arguments
    written = json.dumps({"name": function["name"], "arguments": arguments if values is None else values})
    call = call_of(written, number)
    if call is None:
        return {"role": "assistant", "content": f"{clean(text)}\n{OPENING}\n{clean(written)}\n{CLOSING}".strip()}
    return {"role": "assistant", "content": clean(text), "tool_calls": [call]}
