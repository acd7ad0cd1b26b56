"""The task: forecast series, one step at a time, measured many steps ahead.

`engine/task.py` says what each method is for; the trainer, `check` and `report` use nothing else.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from .config import DataConfig, ModelConfig, shape
from .data import SeriesData, fitted, load
from .engine.core.batch import Batch
from .engine.series import figures, metrics
from .engine.series.baselines import Measured, baselines
from .engine.series.facts import Facts, load_facts, save_facts
from .engine.series.probes import blind_to_the_future, ignores_what_is_held_out
from .engine.series.windows import Windows
from .engine.splits.leakage import Leakage
from .engine.task import Context, Final, Metric, Output, Task
from .model import Forecaster, flops, free_run, inputs, network, state_shape, teacher_forced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOGETHER = 256
"""Windows that are measured together at the end."""


class Forecasting(Task):
    """The next rows of series."""

    unit: ClassVar[str] = "values"
    pipeline: ClassVar[str] = "time-series-forecasting"
    saved: Facts | None = None
    """Those of a run that is used."""

    def __init__(self, data: DataConfig, config: ModelConfig) -> None:
        self.source, self.config = data, config
        self.shape = shape(data, config)

    @property
    def series(self) -> SeriesData:
        return load(self.source, self.shape, self.division)

    @property
    def facts(self) -> Facts:
        """Of the series; of a run that is used, those that it was trained with, and its data may be elsewhere."""
        return self.saved or self.series.facts

    def model(self) -> nn.Module:
        step = torch.from_numpy(self.facts.scaler.step).float()
        return Forecaster(self.config, step, self.facts.covariates)

    def data(self, split: str) -> Windows:
        return self.series.splits[split]

    def example_batch(self, count: int) -> Batch:
        """As a training draws them."""
        return self.data("train").batch(np.zeros(count, np.int64), np.random.default_rng(0))

    def data_hash(self) -> str:
        return self.series.sha256

    def leakage(self) -> Leakage:
        return self.series.leakage

    def save_assets(self, folder: Path) -> None:
        save_facts(self.facts, folder)

    def load_assets(self, folder: Path) -> None:
        self.saved = load_facts(folder)

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        """Teacher forcing: the squared error of each next difference, in deviations of such differences."""
        y, lags = batch["y"], self.shape.lags
        x = inputs(y[:, :-1], batch.get("covariates"), lags)
        said, _ = model(x, x.new_zeros(len(x), *state_shape(self.config)))
        said = said.to(torch.promote_types(said.dtype, torch.float32))
        step = torch.from_numpy(self.facts.scaler.step).to(y)
        goal = (y[:, lags:] - y[:, lags - 1 : -1]) / step
        counts = batch["seen"][:, lags:].clone()
        counts[:, : self.config.burn_in] = False
        return Output(torch.where(counts, (said - goal) ** 2, 0.0).sum(), counts.sum())

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """Of each window: its context `past`, (n, R, K), `truth`, what of it was `seen`, the forecast `free`, which
        runs on what the network says, and `forced`, which is told the truth after each step; (n, H, K) each.

        `naive` and `naive_rms`, (n, K), are the scales of MASE and RMSSE.
        """
        parts, net, horizon = [], network(model), self.shape.horizon
        for batch in loader:
            y, covariates = batch["y"], batch.get("covariates")
            found = {
                "past": y[:, :-horizon],
                "truth": y[:, -horizon:],
                "seen": batch["seen"][:, -horizon:],
                "free": free_run(net, y[:, :-horizon], covariates, horizon).float(),
                "forced": teacher_forced(net, y, covariates, horizon).float(),
                "naive": batch["naive"],
                "naive_rms": batch["naive_rms"],
            }
            parts.append({name: value.cpu() for name, value in found.items()})
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        """Over all steps ahead: running free, and with the truth told after each step."""
        truth, seen, group = predictions["truth"], predictions["seen"], self.blocks(len(predictions["truth"]))
        return {
            "nrmse": metrics.nrmse(predictions["free"] - truth, seen, group),
            "nrmse_teacher_forced": metrics.nrmse(predictions["forced"] - truth, seen, group),
        }

    def blocks(self, count: int) -> Tensor:
        """Windows whose forecasts begin within one horizon, of all series that are forecast then."""
        at_once = len(self.facts.ids)
        return metrics.blocks(count, -(-self.shape.horizon // self.source.stride) * at_once)

    def baselines(self, split: str) -> dict[str, float]:
        """What simple methods reach, fitted to the training rows."""
        return self.simple(split).nrmse()

    def simple(self, split: str) -> Measured:
        """Forecasts of simple methods."""
        table = self.series.table
        return baselines(self.data("train"), self.data(split), tuple(table.offsets.tolist()), table.season)

    def batches(self, split: str, device: torch.device) -> Iterator[Batch]:
        """All windows of a split."""
        windows = self.data(split)
        for indices in np.split(np.arange(len(windows)), range(TOGETHER, len(windows), TOGETHER)):
            yield {name: of.to(device) for name, of in windows.batch(indices, None).items()}

    def final(self, model: nn.Module, split: str, context: Context) -> Final:
        """The error at single steps ahead, and in the error of the naive forecast."""
        found = self.predictions(model, self.batches(split, network(model).step.device), context)
        error, seen, group = found["free"] - found["truth"], found["seen"], self.blocks(len(found["truth"]))
        simple, measures, reached = self.simple(split), dict[str, Metric](), dict[str, dict[str, float]]()
        for step in sorted({*self.source.reported, self.shape.horizon}):
            at = slice(step - 1, step)
            measures[f"nrmse_at_{step}"] = metrics.nrmse(error[:, at], seen[:, at], group)
            reached[f"nrmse_at_{step}"] = simple.nrmse(at)
        measures["mase"] = metrics.mase(error, seen, found["naive"], group)
        measures["rmsse"] = metrics.rmsse(error, seen, found["naive_rms"], group)
        figure = figures.error_by_horizon(metrics.by_horizon(error, seen), simple.by_horizon())
        return Final(measures, reached, figure)

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        """Forecasts of the first target beside the truth."""
        first = {name: predictions[name][..., 0] for name in ("past", "truth", "seen", "free")}
        return figures.forecasts(
            first["past"], first["truth"], first["seen"], first["free"], self.facts.names.targets[0]
        )

    @torch.no_grad()
    def samples(self, model: nn.Module, context: Context) -> str:
        """One forecast, at some steps ahead."""
        windows, device = self.data("validation"), next(model.parameters()).device
        batch = {name: of.to(device) for name, of in windows.batch(np.array([0]), None).items()}
        found, horizon = self.predictions(model, [batch], context), self.shape.horizon
        steps = sorted({1, *self.source.reported, horizon})
        return "\n".join(
            f"{step} ahead: {found['free'][0, step - 1, 0]:.3f}, and it was {found['truth'][0, step - 1, 0]:.3f}"
            for step in steps
        )

    def checks(self, model: nn.Module, batch: Batch) -> dict[str, str]:
        """Nothing that is held out reaches a training, and nothing of the future a forecast."""
        series, net = self.series, network(model)

        def forecast(windows: Windows, index: int) -> Tensor:
            found = {name: of.to(net.step.device) for name, of in windows.batch(np.array([index]), None).items()}
            return free_run(net, found["y"][:, : -self.shape.horizon], found.get("covariates"), self.shape.horizon)

        return {
            "scaler and training windows": ignores_what_is_held_out(
                series.table, series.cuts, fitted, self.data("train")
            ),
            "forecasts": blind_to_the_future(self.data("train"), forecast),
        }

    def flops(self) -> float:
        """Of a forward pass, per value that is forecast; the steps of the burn-in are computed too."""
        targets = len(self.facts.names.targets)
        steps = self.shape.context
        return flops(self.config, targets, self.facts.covariates) * steps / ((steps - self.config.burn_in) * targets)
