"""Episodes in a folder: what was played there is not played again, and what failed can be read."""

import gc
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..core.errors import Problem
from ..core.files import lines_of, write_atomically
from ..task import AgentTask, Task
from .rollout import Episode, Policy, play


def play_into(
    folder: Path,
    tasks: Sequence[Task],
    agent_task: AgentTask,
    protocol: str,
    policy: Callable[[], Policy],
    at_once: int,
) -> list[Episode]:
    """The episodes of the tasks: those that lie in the folder, and the others played now and put there, one by one.

    The folder is that of `folder_for`. A task that was lost is played again.
    `policy` is called where something is left to be played.
    """
    file = folder / "episodes.jsonl"
    if file.exists():
        lines, newline, _ = file.read_bytes().rpartition(b"\n")  # a kill may leave half of the last line
        write_atomically(file, lines + newline)
    kept = load(file) if file.exists() else []
    known = {episode.task: episode for episode in kept if episode.ended != "lost"}
    missing = [task for task in tasks if task.id not in known]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", newline="\n") as handle:

            def finished(episode: Episode) -> None:
                known[episode.task] = episode
                handle.write(json.dumps(episode.dumped()) + "\n")
                handle.flush()

            play(policy(), missing, agent_task, protocol, at_once, shown=True, finished=finished)
        # The model that played lies in reference cycles, and the next one needs its memory.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    episodes = [known[task.id] for task in tasks]
    save(episodes, folder)
    return episodes


def save(episodes: Sequence[Episode], folder: Path) -> None:
    """Write `episodes.jsonl`, which `load` reads, and `failures.txt`, which a person does."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "episodes.jsonl", "".join(json.dumps(one.dumped()) + "\n" for one in episodes))
    failed = [transcript(episode) for episode in episodes if not episode.success]
    write_atomically(folder / "failures.txt", "\n\n".join(failed) + "\n" if failed else "No episode failed.\n")


def load(file: Path) -> list[Episode]:
    """The episodes of a file.

    Raises:
        Problem: it cannot be read, or a line of it is no episode.
    """
    try:
        lines = lines_of(file)
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{file} cannot be read ({error}): name the episodes.jsonl of an evaluation") from None
    return [parsed(line, file, number) for number, line in enumerate(lines, 1)]


def parsed(line: str, file: Path, number: int) -> Episode:
    """The episode of a line."""
    try:
        return Episode.loaded(json.loads(line))
    except (ValueError, TypeError):
        raise Problem(f"{file}, line {number}, is no episode: evaluate again to write it anew") from None


def transcript(episode: Episode) -> str:
    """An episode for a person to read."""
    outcome = "success" if episode.success else "failure"
    head = (
        f"=== {episode.task} ({episode.kind}): {outcome}, ended: {episode.ended}, after {episode.rounds} rounds "
        f"and {episode.seconds:.1f} s ==="
    )
    heard = [message for message in episode.messages if message["role"] != "system"]
    return "\n".join([head, *(f"--- {message['role']} ---\n{said(message)}" for message in heard)])


def said(message: dict[str, object]) -> str:
    """The text of a message, with its calls."""
    calls = message.get("tool_calls")
    written = [str(message["content"])] if message["content"] else []
    for call in calls if isinstance(calls, list) else ():
        function = call["function"]
        written.append(f"{function['name']} {json.dumps(function['arguments'], ensure_ascii=False)}")
    return "\n".join(written)
