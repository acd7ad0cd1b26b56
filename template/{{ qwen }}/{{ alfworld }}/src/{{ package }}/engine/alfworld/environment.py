"""A player's view of a household: AgentBench's texts, its reading of actions, its rule against repetition, its success.

`Environment` plays here, `Pool` in processes of their own, which keeps many episodes going and outlives a crash.
"""

import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import metadata
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from ..core.errors import Problem
from ..task import Call, Lost, Reply
from .bleu import nearest
from .game import NOTHING, Engine
from .task import Task, game_of

ROUNDS = {"functions": 20, "text": 35}
"""A model's messages in one episode, by protocol."""
REPEATS = 3
"""So many equal actions in a row end an episode without success; they begin to count with the fourth action."""
LONGEST = 300
"""Characters of an action that are compared with the possible ones; the longest of these has about 50."""
EPISODES = 200
"""Episodes after which a process of a pool is replaced, so that what the engine may not give back stays small."""
PATIENCE = 60.0
"""Seconds that a process has for one answer; the largest official household is loaded in some three."""


class Environment:
    """One household after the other."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.written: list[str] = []
        self.over = True

    def __enter__(self) -> "Environment":
        return self

    def __exit__(self, *exception: object) -> None:
        self.engine.close()

    def reset(self, task: Task) -> str:
        """Begin a task, and tell what the player is told first.

        Raises:
            Problem: its game cannot be read.
        """
        self.engine.load(*game_of(task))
        self.written, self.over = [], False
        return f"Here is your task. {self.engine.look()}\nYour task is to: {task.statement}{self._possible()}"

    def act(self, call: Call) -> Reply:
        """Do what is nearest to the action that the model wrote."""
        if self.over:
            return Reply(NOTHING, done=True)
        written = str(call.arguments.get("action", ""))[:LONGEST]
        action = next(iter(written.strip().lower().splitlines()), "")
        text = self.engine.act(nearest(action, self.engine.commands()))
        self.written.append(written)
        self.over = self.engine.won() or self.stuck()
        return Reply(shortened(text) + self._possible(), self.over)

    def stuck(self) -> bool:
        """Whether the player has written the same again and again."""
        return len(self.written) > REPEATS and len(set(self.written[-REPEATS:])) == 1

    def success(self) -> bool:
        """Whether the goal is reached, as AgentBench counts."""
        return bool(self.written) and self.engine.won() and not self.stuck()

    def _possible(self) -> str:
        return f" AVAILABLE ACTIONS: {chr(10).join(self.engine.commands())}\n"


def shortened(text: str) -> str:
    """Without the name of a place, such as `loc 12`, which says nothing."""
    return text.partition(". ")[2] if text.startswith("You arrive at loc ") else text


def backend() -> str:
    """The packages that hold the rules, the grammar and the engine."""
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("alfworld", "textworld"))


class Pool:
    """Environments by number, each in a process of its own. All that are asked at once answer in parallel.

    Where a process fails, dies or hangs, the answer is `Lost`, and the next reset has a new process.
    """

    def __init__(self, size: int, episodes: int = EPISODES, patience: float = PATIENCE) -> None:
        self.episodes, self.patience = episodes, patience
        self.workers = [Worker() for _ in range(size)]

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self.workers:
            worker.stop()

    def reset(self, tasks: Mapping[int, Task]) -> dict[int, str | Lost]:
        """Begin tasks in some of the environments, and hand out what their players are told first."""
        for number, task in tasks.items():
            self.workers[number].begin(task, self.episodes)
        return {number: self._answer(number) for number in tasks}

    def act(self, calls: Mapping[int, Call]) -> dict[int, Reply | Lost]:
        """Act in some of the environments."""
        for number, call in calls.items():
            self.workers[number].ask("act", call)
        return {number: self._answer(number) for number in calls}

    def success(self, numbers: Iterable[int]) -> dict[int, bool | Lost]:
        """Whether some of the environments' goals are reached."""
        return {number: self.workers[number].success for number in numbers}

    def _answer(self, number: int) -> Any:
        try:
            return self.workers[number].answer(self.patience)
        except Lost as lost:
            return lost


class Worker:
    """A process with an environment. It is started when it is first needed."""

    def __init__(self) -> None:
        self.context = get_context("forkserver")
        # Imported once, in the process that all others are copies of.
        self.context.set_forkserver_preload(["alfworld.agents.utils.misc", "textworld.envs.pddl"])
        self.process: Any = None
        self.begun, self.task, self.success = 0, "", False

    def begin(self, task: Task, episodes: int) -> None:
        """Ask for a reset, in a new process where the old one has had its episodes or is gone."""
        if self.begun >= episodes:
            self.stop()
        if self.process is None:
            self.connection, theirs = self.context.Pipe()
            self.process = self.context.Process(target=serve, args=(theirs,), daemon=True)
            self.process.start()
            theirs.close()
        self.begun, self.task, self.success = self.begun + 1, task.id, False
        self.ask("reset", task)

    def ask(self, what: str, argument: Any) -> None:
        """Send a question; a process that has died says so when it is to answer."""
        with suppress(OSError):
            self.connection.send((what, argument))

    def answer(self, patience: float) -> Any:
        """The answer to the last question.

        Raises:
            Problem: the game cannot be read.
            Lost: the environment failed, or its process died or takes too long.
        """
        try:
            if not self.connection.poll(patience):
                raise self._lost(f"hangs for {patience:g} seconds")
            value, self.success = self.connection.recv()
        except (EOFError, OSError):
            raise self._lost("died") from None
        if isinstance(value, Problem):
            raise value
        if isinstance(value, Lost):
            raise self._lost(f"failed ({value})")
        return value

    def _lost(self, how: str) -> Lost:
        self.stop()
        return Lost(f"its process {how}")

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
        self.process, self.begun, self.success = None, 0, False


def serve(connection: Connection) -> None:
    """Answer questions until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal signals all; who asks decides when this ends
    environment = Environment()
    questions: dict[str, Callable[[Any], Any]] = {"reset": environment.reset, "act": environment.act}
    with suppress(EOFError, OSError):
        while True:
            what, argument = connection.recv()
            try:
                answer = questions[what](argument), environment.success()
            except Problem as problem:
                answer = problem, False
            except Exception as error:  # whatever the engine comes to, with what a model wrote
                answer = Lost(f"{type(error).__name__}: {error}"), False
            connection.send(answer)
