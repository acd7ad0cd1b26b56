"""The task: forecast series, one step at a time, measured many steps ahead.

`engine/task.py` says what each method is for; the trainer, `check` and `report` use nothing else.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from .config import DataConfig, ModelConfig, shape, steps_reported
from .data import SeriesData, fitted, load
from .engine.core.batch import Batch
from .engine.series import figures, metrics
from .engine.series.baselines import Measured, baselines
from .engine.series.facts import Facts, load_facts, save_facts
from .engine.series.probes import blind_to_the_future, ignores_what_is_held_out
from .engine.series.windows import Windows
from .engine.splits.leakage import Leakage
from .engine.task import Context, Fault, Final, Metric, Output, Task
from .engine.training.seeding import derive_seed
from .model import (
    HEADS,
    Forecaster,
    flops,
    free_run,
    inputs,
    network,
    pieces,
    reach,
    sampled,
    state_shape,
    teacher_forced,
    vanishing,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REACHES = 8
"""Windows of a batch whose gradient is looked at."""
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
        if self.series.layout:
            from .engine.series.layout import save_layout

            save_layout(self.series.layout, folder)

    def load_assets(self, folder: Path) -> None:
        self.saved = load_facts(folder)

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        """Teacher forcing: what the head loses on each next difference, in deviations of such differences."""
        if self.config.truncate:
            piece, slots = pieces.take(state, batch, self.config.truncate, self.pieces)
        else:
            piece, slots = pieces.whole(batch, state_shape(self.config)), {}
        y, lags = piece.rows["y"], self.shape.lags
        step = torch.from_numpy(self.facts.scaler.step).to(y)
        goal = (y[:, lags:] - y[:, lags - 1 : -1]) / step
        said, hidden = model(inputs(y[:, :-1], piece.rows.get("covariates"), lags), piece.hidden)
        said = said.to(torch.promote_types(said.dtype, torch.float32))
        error = HEADS[self.config.head].loss(said, goal)
        at = piece.first[:, None] + torch.arange(goal.shape[1], device=y.device)
        counts = piece.rows["seen"][:, lags:] & (at >= self.config.burn_in)[..., None]
        total = torch.where(counts, error, 0.0).sum()
        return Output(total, counts.sum(), pieces.carried(slots, hidden) if slots else {})

    @property
    def pieces(self) -> int:
        """Of a window in training."""
        return self.source.context // self.config.truncate

    def initial_state(self, slots: int, device: torch.device) -> dict[str, Tensor]:
        """Windows of which each step learns a piece; nothing where it learns them at once."""
        if not self.config.truncate:
            return {}
        batch = {name: of[:1].expand(slots, -1, -1).to(device) for name, of in self.example_batch(1).items()}
        hidden = torch.zeros(slots, *state_shape(self.config), device=device)
        return pieces.empty(batch, hidden, self.pieces)

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """Of each window: its context `past`, (n, R, K), and four of (n, H, K).

        They are the `truth`, what of it was `seen`, the forecast `free`, which runs on what the network says, and
        `forced`, which is told the truth after each step.
        `naive` and `naive_rms`, (n, K), are the scales of MASE and RMSSE. `reach`, of some windows, is the norm of the
        gradient of the last forecast in the context by the inputs of each step before.
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
                "reach": reach(net, y[:REACHES, :-horizon], None if covariates is None else covariates[:REACHES]),
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
        for step in steps_reported(self.source):
            at = slice(step - 1, step)
            measures[f"nrmse_at_{step}"] = metrics.nrmse(error[:, at], seen[:, at], group)
            reached[f"nrmse_at_{step}"] = simple.nrmse(at)
        measures["mase"] = metrics.mase(error, seen, found["naive"], group)
        measures["rmsse"] = metrics.rmsse(error, seen, found["naive_rms"], group)
        coverage = None
        if self.config.head != "point":
            quantiles = self.quantiles(network(model), split, context)
            measures |= metrics.of_quantiles(quantiles, found["truth"], seen, group)
            reached["crps"] = simple.mae()  # which is the CRPS of a number
            coverage = metrics.coverage_by_horizon(quantiles, found["truth"], seen)
        figure = figures.by_horizon(metrics.by_horizon(error, seen), simple.by_horizon(), coverage)
        return Final(measures, reached, figure)

    def quantiles(self, net: Forecaster, split: str, context: Context) -> Tensor:
        """Of each window of a split, (n, H, K, Q), from paths that are drawn."""
        horizon, seed, found = self.shape.horizon, context.noise.initial_seed(), []
        for number, batch in enumerate(self.batches(split, net.step.device)):
            y, covariates = batch["y"][:, :-horizon], batch.get("covariates")
            paths = sampled(net, y, covariates, horizon, self.source.paths, derive_seed(seed, number))
            found.append(metrics.quantiles_of(paths).cpu())
        return torch.cat(found)

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        """Forecasts of the first target beside the truth, and how far back the gradient reaches."""
        past, truth, seen, free = (predictions[name][..., 0] for name in ("past", "truth", "seen", "free"))
        return figures.forecasts(past, truth, seen, free, self.facts.names.targets[0], predictions["reach"])

    def faults(self, predictions: dict[str, Tensor]) -> list[Fault]:
        """A gradient that vanishes through time."""
        return vanishing(predictions["reach"], self.shape.lags)

    @torch.no_grad()
    def samples(self, model: nn.Module, context: Context) -> str:
        """One forecast, at some steps ahead."""
        windows, device = self.data("validation"), next(model.parameters()).device
        batch = {name: of.to(device) for name, of in windows.batch(np.array([0]), None).items()}
        found, steps = self.predictions(model, [batch], context), sorted({1, *steps_reported(self.source)})
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
