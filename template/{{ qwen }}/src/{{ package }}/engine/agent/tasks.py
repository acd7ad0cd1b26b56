"""The tasks of each split, and that no two splits share a part of one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import DataConfig
from ..core.errors import Problem
from ..splits.seal import refuse_sealed
from ..splits.splits import SPLITS
from ..task import AgentTask, Task


def tasks_of(config: DataConfig, agent_task: AgentTask, split: str) -> list[Any]:
    """The tasks of a split; `benchmark` stands for those of AgentBench's file that the configuration names.

    Raises:
        Problem: the test split is sealed, no benchmark is named, or it shares a part with what is trained on.
    """
    refuse_sealed(split)
    if split != "benchmark":
        return agent_task.generate(getattr(config, split), config.seed, split)
    if config.benchmark is None:
        raise Problem("no benchmark is named: train, or play, with --data.benchmark FILE")
    tasks = agent_task.official(Path(config.benchmark))
    trained_on = agent_task.generate(config.train, config.seed, "train")
    refuse_overlap({"train": trained_on, "benchmark": tasks}, agent_task.fingerprints)
    return tasks


def compared(config: DataConfig, agent_task: AgentTask) -> dict[str, list[Any]]:
    """The tasks of every split, after a look for what they have in common, with each other and with the benchmark."""
    tasks = {split: agent_task.generate(getattr(config, split), config.seed, split) for split in SPLITS}
    benchmark = {"benchmark": agent_task.official(Path(config.benchmark))} if config.benchmark else {}
    refuse_overlap(tasks | benchmark, agent_task.fingerprints)
    return tasks


def refuse_overlap(tasks: Mapping[str, Sequence[Task]], fingerprints: Callable[[Any], frozenset[str]]) -> None:
    """Stop where two splits, or a split and the benchmark, have a part of a task in common.

    Raises:
        Problem: they have.
    """
    owners: dict[str, tuple[str, str]] = {}
    for split, members in tasks.items():
        for task in members:
            for mark in fingerprints(task):
                other, name = owners.setdefault(mark, (split, task.id))
                if other != split:
                    raise Problem(
                        f"task {task.id} of {split} and {name} of {other} share a part: choose another --data.seed, "
                        "or leave the benchmark out of what is trained on"
                    )
