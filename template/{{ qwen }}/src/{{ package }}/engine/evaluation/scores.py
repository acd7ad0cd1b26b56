"""What episodes say of a policy: success by kind of task, two policies on the same tasks, and transcripts to read."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from ..agent.rollout import Episode
from ..core.errors import Problem
from ..core.files import write_atomically
from ..statistics.metrics import Metric, Result, summarise
from ..statistics.paired import Comparison, corrected, over_examples


def metrics(episodes: Sequence[Episode]) -> dict[str, Metric]:
    """The share of successes over all tasks, then for each kind of task by name."""
    kinds = sorted({episode.kind for episode in episodes})
    by_kind = {f"success {kind}": share(one for one in episodes if one.kind == kind) for kind in kinds}
    return {"success": share(episodes)} | (by_kind if len(kinds) > 1 else {})


def share(episodes: Iterable[Episode]) -> Metric:
    """How many of the episodes succeeded; each is one independent example."""
    won = torch.tensor([float(episode.success) for episode in episodes], dtype=torch.float64)
    return Metric(float(won.mean()), won, higher_is_better=True, share=True)


def scores(episodes: Sequence[Episode], floors: dict[str, float]) -> dict[str, Result]:
    """Success with its 95 % intervals; the floors, such as a random policy's share, belong to the first.

    Raises:
        Problem: no episode was played.
    """
    if not episodes:
        raise Problem("no episode was played: ask for at least one task")
    return summarise(metrics(episodes), floors)


def endings(episodes: Sequence[Episode]) -> str:
    """How the episodes that failed ended, the most frequent first."""
    counted = Counter(episode.ended for episode in episodes if not episode.success)
    return ", ".join(f"{ending} {count}" for ending, count in counted.most_common()) or "none failed"


def compared(before: Sequence[Episode], after: Sequence[Episode]) -> dict[str, Comparison]:
    """After - before, paired by task, with p of the permutation test over the tasks, corrected for the kinds (Holm).

    For success, which is 0 or 1, that is McNemar's test: only tasks that one alone solves speak for a side.

    Raises:
        Problem: they are not episodes of the same tasks.
    """
    ours, theirs = metrics(before), metrics(aligned(before, after))
    return corrected({name: over_examples(ours[name], theirs[name]) for name in ours})


def aligned(before: Sequence[Episode], after: Sequence[Episode]) -> list[Episode]:
    """The episodes of `after` in the order of those of `before`."""
    by_task = {episode.task: episode for episode in after}
    names = [episode.task for episode in before]
    if len(by_task) != len(after) or len(set(names)) != len(names) or by_task.keys() != set(names):
        raise Problem("before and after are not of the same tasks, each once: play both with the same tasks")
    return [by_task[name] for name in names]


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
        lines = file.read_text(encoding="utf-8").splitlines()
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
