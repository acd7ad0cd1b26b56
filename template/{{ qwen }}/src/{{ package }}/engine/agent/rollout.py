"""Episodes: a policy plays tasks in the real environment, many at once.

All conversations that wait for an answer are handed to the policy together, so that a model can generate for them in
one batch. An episode that ends makes room for the next task at once. Nothing that a policy writes can end the program:
what cannot be read is answered by the protocol, or ends that episode, and so does an environment that fails.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..core.errors import Problem
from ..task import AgentTask, Call, Lost, Message, Pool, Task, Tools, Unreadable
from .progress import Lines
from .tool_calls import clean

Ending = Literal["done", "rounds", "unreadable", "repeated", "too long", "lost"]

AT_ONCE = 8
"""Episodes that are played at the same time."""
ATTEMPTS = 2
"""How often a task is begun if its environment fails."""
LOST = 0.05
"""The largest share of tasks that may be lost; more, and more than a few, say that it is not the tasks' fault."""
FEW = 3
REPEATS = 3
"""So many equal moves in a row are called a repetition."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One task, played to its end."""

    task: str
    """Its id."""
    kind: str
    messages: list[Message]
    success: bool
    """As the benchmark counts."""
    rounds: int
    """Messages of the policy."""
    ended: Ending
    """Why: the environment said so, the rounds were used up, a message was no move where the protocol forgives none,
    the same move came again and again, the conversation became too long for the policy, or the environment failed
    whenever the task was begun."""
    seconds: float

    def dumped(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @staticmethod
    def loaded(content: dict[str, Any]) -> "Episode":
        """What `dumped` gave."""
        return Episode(**content)


class Turn(NamedTuple):
    """What a policy is asked: to write the next message."""

    task: Task
    """For the scripted policies; a model sees the messages alone."""
    messages: list[Message]
    tools: Tools
    round: int
    """How many messages it has written in this episode."""


@runtime_checkable
class Policy(Protocol):
    """Who plays."""

    def answer(self, turns: Sequence[Turn]) -> list[Message | None]:
        """The next message in each conversation; None where it has become too long."""


@dataclass(kw_only=True)
class Running:
    """An episode that is not over."""

    number: int
    task: Task
    attempt: int
    messages: list[Message]
    calls: list[Call] = field(default_factory=list)
    rounds: int = 0
    started: float = field(default_factory=time.perf_counter)

    def episode(self, success: bool, ended: Ending) -> Episode:
        """What it came to."""
        return Episode(
            task=self.task.id,
            kind=self.task.kind,
            messages=self.messages,
            success=success,
            rounds=self.rounds,
            ended="repeated" if ended == "done" and not success and self.repeats else ended,
            seconds=time.perf_counter() - self.started,
        )

    @property
    def repeats(self) -> bool:
        """Whether the last moves are all the same."""
        last = self.calls[-REPEATS:]
        return len(last) == REPEATS and all(call == last[0] for call in last)


def play(
    policy: Policy,
    tasks: Sequence[Task],
    agent_task: AgentTask,
    protocol: str,
    at_once: int = AT_ONCE,
    shown: bool = False,
    finished: Callable[[Episode], None] = lambda episode: None,
) -> list[Episode]:
    """Play each task once; the episodes are in the order of the tasks.

    `shown` shows how far it is. `finished` gets each episode when it is over.

    Raises:
        Problem: the environments cannot be used, or many of them fail.
    """
    over: dict[int, Episode] = {}
    size = max(1, min(at_once, len(tasks)))
    with agent_task.pool(size) as pool, progress(len(tasks), shown) as advance:
        match = Match(policy, pool, range(size), agent_task, protocol, tasks)
        while match.waiting or match.running:
            for number, episode in chain(match.begin(), match.round()):
                over[number] = episode
                finished(episode)
                advance(list(over.values()))
            match.refuse_many(len(tasks))
    return [over[number] for number in range(len(tasks))]


class Match:
    """The episodes that are going on, each at the number of its environment, and the tasks that wait."""

    def __init__(
        self,
        policy: Policy,
        pool: Pool,
        places: range,
        agent_task: AgentTask,
        protocol: str,
        tasks: Sequence[Task],
    ) -> None:
        self.policy, self.pool = policy, pool
        self.dialogue, self.rounds = agent_task.dialogues[protocol], agent_task.rounds[protocol]
        self.waiting = deque((number, task, 1) for number, task in enumerate(tasks))
        self.running: dict[int, Running] = {}
        self.free = list(places)
        self.lost: list[str] = []

    def begin(self) -> Iterator[tuple[int, Episode]]:
        """Begin a task in each environment that is free; yield those that are lost."""
        begun = {self.free.pop(): self.waiting.popleft() for _ in range(min(len(self.free), len(self.waiting)))}
        for place, first in self.pool.reset({place: task for place, (_, task, _) in begun.items()}).items():
            number, task, attempt = begun[place]
            self.running[place] = Running(number=number, task=task, attempt=attempt, messages=[])
            if isinstance(first, Lost):
                yield from self.again(place, first)
                continue
            system = {"role": "system", "content": self.dialogue.system}
            self.running[place].messages += [system, {"role": "user", "content": clean(first)}]

    def again(self, place: int, reason: Exception) -> Iterator[tuple[int, Episode]]:
        """Let a task wait for another attempt after its environment failed; after the last, its episode is over."""
        one = self.running.pop(place)
        self.free.append(place)
        if one.attempt < ATTEMPTS:
            self.waiting.append((one.number, one.task, one.attempt + 1))
            return
        self.lost.append(f"task {one.task.id} is lost: {reason}")
        print(self.lost[-1], file=sys.stderr)
        yield one.number, one.episode(False, "lost")

    def refuse_many(self, tasks: int) -> None:
        """Stop where so many tasks are lost that the figures would say nothing of the policy.

        Raises:
            Problem: they are.
        """
        if len(self.lost) > max(FEW, LOST * tasks):
            raise Problem(f"{len(self.lost)} tasks are lost, the last of them so: {self.lost[-1]}. Correct that first")

    def round(self) -> Iterator[tuple[int, Episode]]:
        """Let the policy write a message in every conversation, and make its moves; yield what is over."""
        places = list(self.running)
        asked = [self.running[place] for place in places]
        turns = [Turn(one.task, one.messages, self.dialogue.tools, one.rounds) for one in asked]
        calls: dict[int, Call] = {}
        for place, message in zip(places, self.policy.answer(turns) if turns else [], strict=True):
            read = self.read(place, message)
            if isinstance(read, Call):
                calls[place] = read
            elif read is not None:
                yield from self.end(place, read)
        for place, reply in self.pool.act(calls).items():
            if isinstance(reply, Lost):
                yield from self.again(place, reply)
                continue
            one = self.running[place]
            if not reply.done:
                self.observe(one, reply.text)
            if reply.done or one.rounds == self.rounds:
                yield from self.end(place, "done" if reply.done else "rounds")

    def read(self, place: int, message: Message | None) -> Call | Ending | Lost | None:
        """The move in a message, or why the episode ends; None where the policy was told what is wrong."""
        one = self.running[place]
        if message is None:
            return "too long"
        one.messages.append(message)
        one.rounds += 1
        try:
            call = self.dialogue.read(message)
        except Unreadable as error:
            if not self.dialogue.forgiving:
                return "unreadable"
            self.observe(one, str(error))
            return "rounds" if one.rounds == self.rounds else None
        except Exception as error:  # the owner's protocol, on whatever a model wrote
            return Lost(f"its message cannot be read ({type(error).__name__}: {error})")
        one.calls.append(call)
        return call

    def observe(self, one: Running, text: str) -> None:
        """Tell the policy what came of its last message."""
        calls = one.messages[-1].get("tool_calls")
        one.messages.append(self.dialogue.observe(clean(text), calls[0]["id"] if calls else None))

    def end(self, place: int, ended: Ending | Lost) -> Iterator[tuple[int, Episode]]:
        """The episode of an environment, which is free again."""
        if isinstance(ended, Lost):
            yield from self.again(place, ended)
            return
        success = self.pool.success([place])[place]
        if isinstance(success, Lost):
            yield from self.again(place, success)
            return
        one = self.running.pop(place)
        self.free.append(place)
        yield one.number, one.episode(success, ended)


def won(episodes: Sequence[Episode]) -> float:
    """The share of episodes that succeeded."""
    return sum(episode.success for episode in episodes) / len(episodes)


@contextmanager
def progress(total: int, shown: bool) -> Iterator[Callable[[list[Episode]], None]]:
    """A bar with the share of successes and the time that is left; lines where there is no terminal."""
    console, lines = Console(stderr=True), Lines()
    columns = (
        TextColumn("playing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("success {task.fields[success]:.0%}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        row = bar.add_task("playing", total=total, success=0.0)

        def advance(finished: list[Episode]) -> None:
            bar.update(row, completed=len(finished), success=won(finished))
            if shown and bar.disable:
                lines.say(f"played {len(finished)} of {total} tasks, success {won(finished):.0%}")

        yield advance
