"""What episodes say of a policy: success by kind of task, and two policies on the same tasks."""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch

from ..agent.rollout import Episode
from ..agent.tool_calls import FENCED
from ..core.errors import Problem
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


def scores(episodes: Sequence[Episode], baselines: dict[str, float]) -> dict[str, Result]:
    """Success with its 95 % intervals; the baselines, such as a random policy's share, belong to the first.

    Raises:
        Problem: no episode was played.
    """
    if not episodes:
        raise Problem("no episode was played: ask for at least one task")
    return summarise(metrics(episodes), baselines)


def endings(episodes: Sequence[Episode]) -> str:
    """How the episodes that failed ended, the most frequent first."""
    counted = Counter(episode.ended for episode in episodes if not episode.success)
    return ", ".join(f"{ending} {count}" for ending, count in counted.most_common()) or "none failed"


def fenced(episodes: Sequence[Episode]) -> str:
    """How many calls did not stand where Qwen writes them, and were read all the same; empty where none."""
    count = sum(FENCED in message for episode in episodes for message in episode.messages)
    return f"{count} calls stood in ```json" if count else ""


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
