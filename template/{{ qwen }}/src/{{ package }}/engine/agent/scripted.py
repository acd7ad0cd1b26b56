"""Policies without a model, between which every model should lie: the expert, and chance."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..task import AgentTask, Call, Message, Task
from .rollout import Turn

WORDS = 6
"""Words of a random argument, at most."""


class Oracle:
    """Makes the expert's moves, and succeeds in every task whose answer is known."""

    def __init__(self, agent_task: AgentTask, protocol: str) -> None:
        self.expert, self.dialogue = agent_task.expert, agent_task.dialogues[protocol]
        self.known: dict[str, list[tuple[str, Call]]] = {}

    def answer(self, turns: Sequence[Turn]) -> list[Message | None]:
        return [self._move(turn) for turn in turns]

    def _move(self, turn: Turn) -> Message:
        thought, call = self._moves(turn.task)[turn.round]
        return named(self.dialogue.write(call, thought), turn.round)

    def _moves(self, task: Task) -> list[tuple[str, Call]]:
        if task.id not in self.known:
            self.known[task.id] = self.expert(task)
        return self.known[task.id]


class Random:
    """Calls a tool at random, with words of what it was told last."""

    def __init__(self, agent_task: AgentTask, protocol: str, seed: int = 0) -> None:
        self.tools, self.dialogue, self.seed = agent_task.tools, agent_task.dialogues[protocol], seed

    def answer(self, turns: Sequence[Turn]) -> list[Message | None]:
        return [self._move(turn) for turn in turns]

    def _move(self, turn: Turn) -> Message:
        rng = np.random.default_rng((self.seed, zlib.crc32(turn.task.id.encode()), turn.round))
        function = self.tools[rng.integers(len(self.tools))]["function"]
        words = str(turn.messages[-1]["content"]).split() or [""]
        parameters: dict[str, Any] = function["parameters"]["properties"]
        arguments = {name: drawn(words, kind["type"], rng) for name, kind in parameters.items()}
        return named(self.dialogue.write(Call(function["name"], arguments), "I try something."), turn.round)


def drawn(words: list[str], kind: str, rng: np.random.Generator) -> str | list[str]:
    """A few words that stand beside each other, as one text or as a list with it."""
    start = int(rng.integers(len(words)))
    text = " ".join(words[start : start + 1 + int(rng.integers(WORDS))])
    return [text] if kind == "array" else text


def named(message: Message, number: int) -> Message:
    """The same message, its call named as those of a model are."""
    calls = [call | {"id": f"call_{number}"} for call in message.get("tool_calls", ())]
    return message | {"tool_calls": calls} if calls else message
