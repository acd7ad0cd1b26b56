"""A finished run, measured on a split."""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.runs import load_environment
from ..core.tracking import read
from ..statistics.metrics import Metric, Result, summarise
from ..task import Config, Context, Task
from ..training.checkpoint import load_weights, weights_of
from ..training.device import Device, choose_for_use
from ..training.process_group import Processes
from ..training.seeding import derive_seed, generator
from ..training.validation import Measured, measure

ALONE = Processes()


class Evaluation:
    """A finished run on a split. Nothing is computed before it is asked for, and then once."""

    def __init__(
        self, run: Path, config: Config, task: Task, split: str = "validation", world: Processes = ALONE
    ) -> None:
        self.run, self.config, self.task, self.split, self.world = run, config, task, split, world

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Where the run was started."""
        return load_environment(self.run)

    @cached_property
    def device(self) -> Device:
        """Where the model is measured."""
        return choose_for_use(self.config.train)

    @cached_property
    def model(self) -> nn.Module:
        """The trained model.

        Raises:
            Problem: the run has not finished, or its data are no longer those of today.
        """
        weights = weights_of(self.run)
        if self.task.data_hash() != self.environment["data"]:
            raise Problem(f"{self.run} was trained on other data than today's: restore them, or train again")
        model = self.task.model().to(self.device.torch_device)
        load_weights(model, weights)
        return model.eval()

    @cached_property
    def measured(self) -> Measured:
        """The records and the metrics of the whole split, which all processes have to ask for together."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        return measure(
            self.task,
            self.model,
            self.split,
            self.config.train.micro_batch,
            world=self.world,
            seed=self.config.seed,
            bf16=self.device.bf16,
            bar=True,
        )

    @cached_property
    def predictions(self) -> dict[str, Tensor]:
        """What the task noted of each example."""
        return self.measured.predictions

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The figures of merit."""
        return self.measured.metrics

    @cached_property
    def results(self) -> dict[str, Result]:
        """The metrics with their intervals, the first beside its baselines."""
        return summarise(self.metrics, self.task.baselines(self.split))

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """What was recorded while the run trained."""
        return read(self.run / "metrics.jsonl")

    @cached_property
    def samples(self) -> str:
        """What the model says, the same at each call."""
        seed = derive_seed(self.config.seed, "examples")
        return self.task.samples(self.model, Context(0, generator(self.device.torch_device, seed)))

    def figures(self) -> dict[str, Figure]:
        """The report's plots of the split, by name."""
        figure = self.task.figure(self.predictions)
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
            f"{results['performance']['parameters']:,} parameters, trained for {results['steps']} steps "
            f"with seed {self.config.seed}; preset: {self.config.preset}; processes: {self.environment['processes']}"
        )


def hash_of_weights(run: Path) -> str:
    """By which the weights of a run are known in the ledger."""
    return fingerprint(weights_of(run))
