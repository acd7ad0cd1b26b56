"""A finished run, measured on a split."""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import nn

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.runs import load_environment
from ..core.tracking import history
from ..statistics.metrics import Result, summarise
from ..task import Config, Context, Final, MeasuresAtEnd, Task
from ..training.checkpoint import load_weights, weights_of
from ..training.device import Device, choose_for_use, describe
from ..training.process_group import Processes
from ..training.seeding import derive_seed, generator
from ..training.timing import count_parameters, latency_ms
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
        """The predictions and the metrics of the whole split, which all processes have to ask for together."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        config, bf16 = self.config, self.device.bf16
        size, seed = config.train.micro_batch, config.seed
        return measure(self.task, self.model, self.split, size, world=self.world, seed=seed, bf16=bf16, bar=True)

    @cached_property
    @torch.no_grad()
    def final(self) -> Final:
        """What the task measures of a trained model alone, on the whole split."""
        if not isinstance(self.task, MeasuresAtEnd):
            return Final({})
        seed = derive_seed(self.config.seed, "final", self.split)
        return self.task.final(self.model, self.split, Context(0, generator(self.device.torch_device, seed)))

    @cached_property
    def results(self) -> dict[str, Result]:
        """The metrics with their intervals, the first, and those that are measured at the end, beside baselines."""
        results = summarise(self.measured.metrics, self.task.baselines(self.split))
        for name, metric in self.final.metrics.items():
            results |= summarise({name: metric}, self.final.baselines.get(name, {}))
        return results

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """What was recorded while the run trained."""
        return history(self.run)

    @cached_property
    def samples(self) -> str:
        """What the model says, the same at each call."""
        seed = derive_seed(self.config.seed, "examples")
        return self.task.samples(self.model, Context(0, generator(self.device.torch_device, seed)))

    def performance(self) -> dict[str, Any]:
        """Size and speed, measured now; training's own figures come from its record."""
        rates = [value for line in self.history for name, value in line.items() if name.endswith("_per_second")]
        cuda = self.device.type == "cuda"
        return {
            "parameters": count_parameters(self.model),
            "latency_ms": round(latency_ms(self.task, self.model, self.device), 3),
            "peak_memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 3) if cuda else None,
            f"training_{self.task.unit}_per_second": round(rates[-1], 1) if rates else None,
            "device": describe(self.device),
            "precision": self.device.precision,
        }

    def figures(self) -> dict[str, Figure]:
        """The report's plots of the split, by name."""
        found = {"validation": self.task.figure(self.measured.predictions), "samples": self.final.figure}
        return {name: figure for name, figure in found.items() if figure}

    def leakage(self) -> dict[str, Any]:
        """What the splits have in common."""
        return asdict(self.task.leakage())

    def hub_fields(self) -> dict[str, Any]:
        """What the Hugging Face Hub is told of the model."""
        kind = {"pipeline_tag": self.task.pipeline} if self.task.pipeline else {}
        return kind | {"library_name": "pytorch", "tags": [type(self.model).__name__.lower()]}

    def trained(self, results: dict[str, Any]) -> str:
        """What somebody needs to know to repeat the run, beside its data."""
        return (
            f"{results['performance']['parameters']:,} parameters, trained for {results['steps']} steps "
            f"with seed {self.config.seed}; preset: {self.config.preset}; processes: {self.environment['processes']}"
        )


def hash_of_weights(run: Path) -> str:
    """By which the weights of a run are known in the ledger."""
    return fingerprint(weights_of(run))
