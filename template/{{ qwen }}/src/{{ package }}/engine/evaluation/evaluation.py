"""A finished run on the tasks of a split: the base as it was, and what the training made of it."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from safetensors import safe_open

from ..agent.keys import folder_for, parts_of
from ..agent.play import play_into, transcript
from ..agent.rollout import Episode, play, won
from ..agent.scripted import Random
from ..agent.tasks import tasks_of
from ..config import RunConfig
from ..core.errors import Problem
from ..core.runs import load_environment
from ..core.tracking import history
from ..finetuning.session import ADAPTER, MODEL, model_of
from ..finetuning.session import hash_of_weights as hash_of_weights
from ..finetuning.trajectories import of_run
from ..memory.fit import at_once
from ..models.loading import folder_of
from ..statistics.metrics import SHARE, Result
from ..statistics.paired import Comparison
from ..task import AgentTask
from .policies import Engine, policy_of, settings_of
from .scores import compared, endings, fenced, scores

SHOWN = 3
"""Transcripts of failures in a report."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a run and its base did in the tasks of a split."""

    run: Path
    config: RunConfig
    environment: dict[str, Any]
    """Where the run was started."""
    folder: Path
    """With the episodes of the trained model, and the transcripts of those that failed."""
    before: list[Episode]
    """Of the base."""
    after: list[Episode]
    """Of the trained model."""
    chance: float
    """The share of the same tasks that moves at random solve."""

    @cached_property
    def results(self) -> dict[str, Result]:
        """Success with its 95 % intervals, beside what it has to beat."""
        return scores(self.after, {"chance": self.chance, "before the training": won(self.before)})

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """What the training changed, task by task."""
        return compared(self.before, self.after)

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """What was recorded while the run trained."""
        return history(self.run)

    @cached_property
    def samples(self) -> str:
        """How its failures ended, and some of them to read."""
        failed = [transcript(episode) for episode in self.after if not episode.success]
        told = [f"Failures of {len(self.after)} episodes: {endings(self.after)}", fenced(self.after)]
        return "\n\n".join(["; ".join(filter(None, told)), *failed[:SHOWN]])

    @property
    def failures(self) -> Path:
        """The transcripts of the trained model's failures."""
        return self.folder / "failures.txt"

    def performance(self) -> dict[str, Any]:
        """Size of the model, and how long an episode takes it."""
        seconds = [episode.seconds for episode in self.after]
        return {
            "parameters": numbers(self.run / MODEL),
            "trained_parameters": numbers(self.run / (MODEL if self.config.model.adapter == "full" else ADAPTER)),
            "episode_seconds": round(sum(seconds) / len(seconds), 3),
            "device": self.environment["hardware"],
            "precision": self.environment["precision"],
        }

    def figures(self) -> dict[str, Figure]:
        """The report's plots, by name."""
        return {"success": successes(scores(self.before, {}), self.results)}

    def leakage(self) -> dict[str, Any]:
        """What the splits have in common: nothing, or they would not have been made."""
        sizes = {split: getattr(self.config.data, split) for split in ("train", "validation", "test")}
        rule = "no question, row or room of a task is part of one in another split"
        if self.config.data.file:
            rule = "no trajectory begins with what a task of validation, test or the benchmark tells first"
        return {"rule": rule, "compared": sizes, "found": []}

    def hub_fields(self) -> dict[str, Any]:
        """What the Hugging Face Hub is told of the model."""
        return {
            "pipeline_tag": "text-generation",
            "library_name": "transformers",
            "base_model": self.environment.get("init", {}).get("base", self.config.model.base),
            "tags": ["agent", "trl"],
        }

    def trained(self, results: dict[str, Any]) -> str:
        """What somebody needs to know to repeat the run, beside its data, and how far its figures reach."""
        config, data = self.config, self.config.data
        rows = "\n".join(f"| {name} | {value} |" for name, value in settings(config, results).items())
        learned = f"{data.train} expert trajectories, generated with seed {data.seed}"
        limits = "the trajectories are those of one expert"
        if data.file:
            learned, limits = f"trajectories of {Path(data.file).name}", "the trajectories are not those of its expert"
        return (
            f"{config.model.base} after supervised fine-tuning on {learned}, in the protocol `{data.protocol}`. "
            "The loss was taken on the assistant's turns alone."
            f"\n\n| | |\n|---|---|\n{rows}\n\n"
            f"The tasks that it plays were generated, and {limits}: success in other tasks is not "
            "shown by these figures. What the model writes has to be checked before it is executed anywhere else than "
            f"in a database or a game of its own.\n\nPreset: {config.preset}"
        )


def evaluate(
    run: Path, config: RunConfig, agent_task: AgentTask, split: str = "validation", engine: Engine = "transformers"
) -> Evaluation:
    """Play the tasks of a split with a finished run and with its base. What lies in the run is not played again.

    Raises:
        Problem: the run has not finished, its data are not those of today, or the split may not be played.
    """
    model_of(run)
    environment = load_environment(run)
    data = of_run(environment["data"], config.data, agent_task)
    if data.digest != environment["data"]:
        raise Problem(f"{run} was trained on other data than today's: restore them, or train again")
    if environment.get("tasks") not in (None, parts_of(config.data, agent_task)):
        code = environment["commit"] or "the code of then"
        raise Problem(f"{run} was trained when tasks.py made other tasks: restore {code}, or train again")
    tasks, protocol = tasks_of(config.data, agent_task, split), config.data.protocol
    base = folder_of(config.model.base, data.texts)
    together = at_once(base, config.model, config.train)
    player = settings_of(config, base)
    folders = {
        who: folder_for(run / "episodes" / f"{split}-{who}-{engine}", tasks, agent_task, protocol, player)
        for who in ("before", "after")
    }
    before, after = (
        play_into(folders[who], tasks, agent_task, protocol, policy_of(config, base, trained, engine), together)
        for who, trained in (("before", None), ("after", run))
    )
    chance = play(Random(agent_task, protocol, config.seed), tasks, agent_task, protocol)
    return Evaluation(
        run=run,
        config=config,
        environment=environment,
        folder=folders["after"],
        before=before,
        after=after,
        chance=won(chance),
    )


def settings(config: RunConfig, results: dict[str, Any]) -> dict[str, str]:
    """How a model was trained, and what that did to its loss."""
    model, train, figures = config.model, config.train, results["performance"]
    adapters = f"rank {model.rank}, alpha {model.alpha}, dropout {model.dropout}, on all seven linear projections"
    return {
        "parameters": f"{figures['parameters']:,}",
        "trained": "all weights" if model.adapter == "full" else f"{model.adapter}: {adapters}",
        "trained parameters": f"{figures['trained_parameters']:,}",
        "steps": f"{results['steps']}",
        "batch": f"{train.batch} {'rows of packed trajectories' if train.packing else 'trajectories'}",
        "length": f"at most {train.length} tokens; none was cut",
        "learning rate": f"{train.learning_rate}, warm-up over {train.warmup_ratio:.0%} of the steps, then cosine to 0",
        "seed": f"{config.seed}",
    } | {
        f"{name}, on the validation split": f"{value:.4f}"
        for name, value in results["while_training"].items()
        if name.startswith("loss")
    }


def numbers(folder: Path) -> int:
    """How many numbers the safetensors of a folder hold."""
    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            names = list(tensors.keys())
            total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
    return total


def successes(before: dict[str, Result], after: dict[str, Result]) -> Figure:
    """Success by kind of task before and after the training, with its 95 % intervals."""
    figure = Figure(figsize=(8, 1.5 + 0.45 * len(after)), layout="constrained")
    axes = figure.subplots()
    colors = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    for offset, (label, results) in enumerate((("before", before), ("after", after))):
        for row, result in enumerate(results.values()):
            low, high = result.ci95 or (result.value, result.value)
            error = [[result.value - low], [high - result.value]]
            axes.errorbar(
                [result.value], [row + 0.2 * offset - 0.1], xerr=error, fmt="o", capsize=3, color=colors[offset],
                label=label if row == 0 else None,
            )  # fmt: skip
    axes.set(xlabel="share of tasks solved, with its 95 % interval", xlim=(SHARE[0] - 0.03, SHARE[1] + 0.03))
    axes.set_yticks(range(len(after)), [name.removeprefix("success ") for name in after])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
    return figure
