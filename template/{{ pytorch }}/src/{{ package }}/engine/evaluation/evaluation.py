"""A finished run, measured on a split."""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.runs import load_environment
from ..core.tracking import read
from ..statistics.metrics import summarise
from ..task import Config, Context, Task
from ..training.checkpoint import load_weights, weights_of
from ..training.device import choose_for_use
from ..training.process_group import Processes
from ..training.seeding import generator, key
from ..training.validation import measure

ALONE = Processes()


class Evaluation:
    """A finished run, measured on a split."""

    def __init__(
        self, run: Path, config: Config, task: Task, split: str = "validation", world: Processes = ALONE
    ) -> None:
        self.run, self.config, self.task = run, config, task
        weights = weights_of(run)
        self.environment = load_environment(run)
        self.device = choose_for_use(self.config.train)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        if self.task.data_hash() != self.environment["data"]:
            raise Problem(f"{run} was trained on other data than today's: restore them, or train again")
        self.model = self.task.model().to(self.device.torch_device)
        load_weights(self.model, weights)
        self.model.eval()
        self.records, self.metrics = measure(
            self.task,
            self.model,
            split,
            self.config.train.micro_batch,
            seed=self.config.seed,
            bf16=self.device.bf16,
            bar=True,
            world=world,
        )
        self.results = summarise(self.metrics, self.task.floors(split))

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """What was recorded while the run trained."""
        return read(self.run / "metrics.jsonl")

    @cached_property
    def examples(self) -> str:
        """What the model says, the same at each call."""
        seed = key(self.config.seed, "examples")
        return self.task.examples(self.model, Context(0, generator(self.device.torch_device, seed)))

    def pictures(self) -> dict[str, Figure]:
        """The report's plots of the split, by name."""
        figure = self.task.picture(self.records)
        return {"validation": figure} if figure else {}

    def leakage(self) -> dict[str, Any]:
        """What the splits have in common."""
        return asdict(self.task.leakage())

    @property
    def pipeline(self) -> str | None:
        """What the Hugging Face Hub calls such a task."""
        return self.task.pipeline

    def hub_fields(self) -> dict[str, Any]:
        """What the Hub is told of the model."""
        return {"library_name": "pytorch", "tags": [type(self.model).__name__.lower()]}

    def trained(self, results: dict[str, Any]) -> str:
        """What somebody needs to know to repeat the run, beside its data."""
        return (
            f"{results['performance_metrics']['parameter_count']:,} parameters, trained for {results['steps']} steps "
            f"with seed {self.config.seed}; preset: {self.config.preset}; processes: {self.environment['processes']}"
        )


def hash_of_weights(run: Path) -> str:
    """By which the weights of a run are known in the ledger."""
    return fingerprint(weights_of(run))
