"""A finished run on the tasks of a split: the base as it was, and what the training made of it."""

import gc
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import matplotlib
import torch
from matplotlib.figure import Figure
from peft import PeftModel

from ...config import Config, DataConfig, ModelConfig
from ...sft import ADAPTER, MODEL
from ...tasks import Task, generate, official
from ..agent.generation import VLLM, Transformers, Writing
from ..agent.rollout import Episode, Policy, play
from ..agent.scripted import Random
from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.files import write_atomically
from ..core.runs import load_config, load_environment
from ..core.tracking import read
from ..finetuning.trajectories import load, refuse_overlap
from ..memory.fit import at_once
from ..models.loading import folder_of, load_model, load_tokenizer, precision
from ..splits.seal import refuse_sealed
from ..statistics.metrics import SHARE, Result
from ..statistics.paired import Comparison
from .scores import compared, endings, save, scores, transcript
from .scores import load as load_episodes

Engine = Literal["transformers", "vllm"]

SHOWN = 3
"""Transcripts of failures in a report."""


class Evaluation:
    """A finished run, played on the tasks of a split. Episodes that lie in the run are not played again."""

    def __init__(self, run: Path, split: str = "validation", engine: Engine = "transformers") -> None:
        self.run, self.split, self.engine = run, split, engine
        self.config, self.environment = load_config(run), load_environment(run)
        require_trained(run)
        if load(self.config.data).digest != self.environment["data"]:
            raise Problem(f"{run} was trained on other data than today's: restore them, or train again")
        tasks = tasks_of(self.config.data, split)
        self.before = self.played("before", tasks)
        self.after = self.played("after", tasks)
        chance = play(Random(self.config.data.protocol, self.config.seed), tasks, self.config.data.protocol)
        self.results = scores(self.after, {"chance": won(chance), "before the training": won(self.before)})

    def played(self, who: Literal["before", "after"], tasks: list[Task]) -> list[Episode]:
        """The episodes of the base or of the trained model, with those that an earlier evaluation has played."""
        folder = self.run / "episodes" / f"{self.split}-{who}-{self.engine}"
        policy = policy_of(self.config, self.run if who == "after" else None, self.engine)
        return kept(folder, tasks, policy, self.config.data.protocol, places(self.config))

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """What the training changed, task by task."""
        return compared(self.before, self.after)

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """What was recorded while the run trained."""
        return read(self.run / "metrics.jsonl")

    @cached_property
    def examples(self) -> str:
        """How its failures ended, and some of them to read."""
        failed = [transcript(episode) for episode in self.after if not episode.success]
        return "\n\n".join([f"Failures of {len(self.after)} episodes: {endings(self.after)}", *failed[:SHOWN]])

    @property
    def failures(self) -> Path:
        """The transcripts of the trained model's failures."""
        return self.run / "episodes" / f"{self.split}-after-{self.engine}" / "failures.txt"

    def pictures(self) -> dict[str, Figure]:
        """The report's plots, by name."""
        return {"success": successes(scores(self.before, {}), self.results)}

    def leakage(self) -> dict[str, Any]:
        """What the splits have in common: nothing, or they would not have been made."""
        sizes = {split: getattr(self.config.data, split) for split in ("train", "validation", "test")}
        rule = "no question, row or room of a task is part of one in another split"
        return {"rule": rule, "compared": sizes, "found": []}

    pipeline = "text-generation"

    def hub_fields(self) -> dict[str, Any]:
        """What the Hugging Face Hub is told of the model."""
        return {"library_name": "transformers", "base_model": self.config.model.base, "tags": ["agent", "trl"]}

    def trained(self, results: dict[str, Any]) -> str:
        """What somebody needs to know to repeat the run, beside its data, and how far its figures reach."""
        config, data = self.config, self.config.data
        rows = "\n".join(f"| {name} | {value} |" for name, value in settings(config, results).items())
        return (
            f"{config.model.base} after supervised fine-tuning on {data.train} expert trajectories, generated with "
            f"seed {data.seed}, in the protocol `{data.protocol}`. The loss was taken on the assistant's turns alone."
            f"\n\n| | |\n|---|---|\n{rows}\n\n"
            "The tasks were generated, and the trajectories are those of one expert: success in other tasks is not "
            "shown by these figures. What the model writes has to be checked before it is executed anywhere else than "
            f"in a database or a game of its own.\n\nPreset: {config.preset}"
        )


def settings(config: Config, results: dict[str, Any]) -> dict[str, str]:
    """How a model was trained, and what that did to its loss."""
    model, train, figures = config.model, config.train, results["performance_metrics"]
    adapters = f"rank {model.rank}, alpha {model.alpha}, dropout {model.dropout}, on all seven linear projections"
    return {
        "parameters": f"{figures['parameter_count']:,}",
        "trained": "all weights" if model.adapter == "full" else f"{model.adapter}: {adapters}",
        "trained parameters": f"{figures['trained_parameters']:,}",
        "steps": f"{results['steps']}",
        "batch": f"{train.batch} {'rows of packed trajectories' if train.packing else 'trajectories'}",
        "length": f"at most {train.length} tokens; none was cut",
        "learning rate": f"{train.learning_rate}, warm-up over {train.warmup:.0%} of the steps, then a cosine to 0",
        "seed": f"{config.seed}",
    } | {
        f"{name}, on the validation split": f"{value:.4f}"
        for name, value in results["while_training"].items()
        if name.startswith("loss")
    }


def tasks_of(config: DataConfig, split: str) -> list[Task]:
    """The tasks of a split; `benchmark` stands for those of AgentBench's file that the configuration names.

    Raises:
        Problem: the test split is sealed, no benchmark is named, or it shares a part with what is trained on.
    """
    refuse_sealed(split)
    if split != "benchmark":
        return generate(getattr(config, split), config.seed, split)
    if config.benchmark is None:
        raise Problem("no benchmark is named: train, or play, with --data.benchmark FILE")
    tasks = official(Path(config.benchmark))
    refuse_overlap({"train": generate(config.train, config.seed, "train"), "benchmark": tasks})
    return tasks


def kept(
    folder: Path, tasks: Sequence[Task], policy: Callable[[], Policy], protocol: str, together: int
) -> list[Episode]:
    """The episodes of the tasks: those that lie in the folder, and the others played now and put there, one by one."""
    file = folder / "episodes.jsonl"
    if file.exists():
        lines, _, _ = file.read_text(encoding="utf-8").rpartition("\n")  # a kill may leave half of the last line
        write_atomically(file, f"{lines}\n" if lines else "")
    known = {episode.task: episode for episode in load_episodes(file)} if file.exists() else {}
    missing = [task for task in tasks if task.id not in known]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", newline="\n") as handle:

            def finished(episode: Episode) -> None:
                known[episode.task] = episode
                handle.write(json.dumps(episode.dumped()) + "\n")
                handle.flush()

            play(policy(), missing, protocol, together, shown=True, finished=finished)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    episodes = [known[task.id] for task in tasks]
    save(episodes, folder)
    return episodes


def policy_of(config: Config, run: Path | None, engine: Engine) -> Callable[[], Policy]:
    """The base model, or what a run made of it, to be loaded when it is needed.

    It plays as it was trained: on a base in 4 bits if that is what the adapters were trained on. vLLM plays the merged
    model, in 16 bits.
    """
    train = config.train

    def loaded() -> Policy:
        base = folder_of(config.model.base, load(config.data).texts)
        folder = base if run is None else run / MODEL
        tokenizer = load_tokenizer(folder)
        writing = Writing(length=train.length, tokens=train.tokens, seed=config.seed)
        if engine == "vllm":
            return VLLM(folder, tokenizer, writing)
        numbers = precision(train.precision)
        if config.model.adapter == "full":
            model = load_model(folder, ModelConfig(base=config.model.base, adapter="lora"), numbers)
        else:
            model = load_model(base, config.model, numbers)
            model = model if run is None else PeftModel.from_pretrained(model, str(run / ADAPTER))
        model.config.use_cache = True
        return Transformers(model, tokenizer, writing)

    return loaded


def places(config: Config) -> int:
    """How many episodes this machine can play at once."""
    return at_once(config, folder_of(config.model.base, load(config.data).texts))


def require_trained(run: Path) -> None:
    """Refuse a run that has no model yet.

    Raises:
        Problem: it has not finished.
    """
    if not (run / MODEL / "config.json").exists():
        raise Problem(f"{run} has not finished training: go on with train --resume")


def hash_of_weights(run: Path) -> str:
    """By which the weights of a run are known in the ledger."""
    require_trained(run)
    return fingerprint("".join(fingerprint(file) for file in sorted((run / MODEL).glob("*.safetensors"))))


def won(episodes: Sequence[Episode]) -> float:
    """The share of episodes that succeeded."""
    return sum(episode.success for episode in episodes) / len(episodes)


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
