"""Forecast with a trained run: `load().forecast(values)`."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .config import shape
from .data import load as load_data
from .engine.core.errors import Problem
from .engine.series.division import spans
from .engine.series.facts import Facts, load_facts
from .engine.series.metrics import LEVELS, quantiles_of
from .engine.series.table import Table, following
from .engine.series.windows import Shape, prepare
from .engine.training.trained import load_run
from .model import Forecaster, free_run, network, sampled
from .model.heads import Point
from .presets import Config


class Forecast(NamedTuple):
    """What comes next in each of S series."""

    ids: tuple[str, ...]
    targets: tuple[str, ...]
    origin: np.ndarray
    """(S,): the time of the last row that is known."""
    time: np.ndarray
    """(S, H): the times that are forecast."""
    values: np.ndarray
    """(S, H, K) float64, in the units of the series."""
    quantiles: np.ndarray | None
    """(S, H, K, Q) at the levels of `engine/series/metrics.py`; None where the model says a number alone."""

    def lines(self) -> list[str]:
        """A long table as CSV: a line for each series, step and target, below the names of the columns."""
        lines = [",".join(["id,origin,time,step,target,forecast", *(f"q{level:g}" for level in self.levels)])]
        for (series, step, target), value in np.ndenumerate(self.values):
            at = f"{self.origin[series]},{self.time[series, step]},{step + 1}"
            of = () if self.quantiles is None else self.quantiles[series, step, target]
            numbers = ",".join(f"{number:.6g}" for number in (value, *of))
            lines.append(f"{self.ids[series]},{at},{self.targets[target]},{numbers}")
        return lines

    @property
    def levels(self) -> tuple[float, ...]:
        """Of the quantiles."""
        return () if self.quantiles is None else LEVELS


class Predictor:
    """A trained model, and the facts about its series."""

    def __init__(self, model: Forecaster, facts: Facts, window: Shape, paths: int) -> None:
        self.model, self.facts, self.window, self.paths = model, facts, window, paths

    @torch.no_grad()
    def forecast(self, series: Table | np.ndarray, steps: int | None = None, *, seed: int = 0) -> Forecast:
        """The next `steps` rows of each series; as many as the run was measured on, unless that is given.

        Quantiles are those of paths that are drawn with `seed`.

        `series` is a table, or the values of one series, (rows,) or (rows, targets), oldest first. Rows at the end of a
        table whose targets are all missing are what is forecast: their known covariates are taken from there.

        Raises:
            Problem: a series is too short, other columns are given than the run has, or covariates are missing.
        """
        table = series if isinstance(series, Table) else self.as_table(series)
        horizon = self.window.horizon if steps is None else steps
        if horizon < 1:
            raise Problem(f"{horizon} steps cannot be forecast: at least 1")
        scaler = self.facts.scaler_of(table)
        rows, windows, origins = prepare(table, scaler), [], []
        for number, (start, stop) in enumerate(spans(table)):
            there = np.flatnonzero(rows.seen[start:stop].any(1))
            origin = start + int(there[-1]) if len(there) else start - 1
            self.refuse(table, number, origin - start + 1, stop - origin - 1, horizon)
            origins.append(origin)
            first = origin - self.window.context + 1
            now = np.arange(first, origin + horizon)
            known = rows.known[now + 1] if rows.known.shape[1] else np.zeros((len(now), 0), np.float32)
            up_to_now = np.minimum(now, origin)
            windows.append(np.concatenate([known, rows.observed[up_to_now], rows.static[up_to_now]], 1))
        place = self.model.step.device
        last = np.array(origins)
        past = rows.targets[last[:, None] + np.arange(1 - self.window.before, 1)]
        covariates = torch.from_numpy(np.stack(windows)).to(place) if self.facts.covariates else None
        y = torch.from_numpy(past).to(place)
        level, scale = scaler.level[:, None], scaler.scale[:, None]
        values = level + scale * free_run(self.model, y, covariates, horizon).cpu().double().numpy()
        quantiles = None
        if not isinstance(self.model.output, Point):
            paths = sampled(self.model, y, covariates, horizon, self.paths, seed)
            quantiles = level[..., None] + scale[..., None] * quantiles_of(paths).cpu().double().numpy()
        if not np.isfinite(values).all():
            raise Problem("the forecast is not finite: the values given lie far outside what the run was trained on")
        ends = zip(table.offsets[:-1].tolist(), origins, strict=True)
        time = [following(table.time[start : row + 1], horizon, table.frequency) for start, row in ends]
        return Forecast(table.ids, table.names.targets, table.time[last], np.stack(time), values, quantiles)

    def refuse(self, table: Table, number: int, known: int, given: int, horizon: int) -> None:
        """Raise a Problem where a series has too few known rows, or too few of the future's covariates."""
        name = table.ids[number]
        if known < self.window.before:
            raise Problem(f"series {name} has {known} known rows, and a forecast needs {self.window.before}")
        if self.facts.names.known and given < horizon:
            raise Problem(
                f"series {name} gives {', '.join(self.facts.names.known)} for {given} rows behind the last known one, "
                f"and {horizon} are forecast: add rows without targets, or ask for fewer steps"
            )

    def as_table(self, values: np.ndarray) -> Table:
        """One series as a table.

        Raises:
            Problem: it has another shape, or the run has covariates.
        """
        targets = len(self.facts.names.targets)
        columns = values[:, None] if values.ndim == 1 else values
        if columns.ndim != 2 or columns.shape[1] != targets:
            raise Problem(f"the values have the shape {values.shape}: give (rows, {targets})")
        if self.facts.covariates:
            raise Problem("the run was trained with covariates: give a table")
        name = self.facts.ids[0] if len(self.facts.ids) == 1 else "series"
        nothing = np.zeros((len(columns), 0), np.float32)
        time, static = np.arange(len(columns)), np.zeros((1, 0), np.float32)
        offsets, targets_of = np.array([0, len(columns)]), columns.astype(np.float32)
        facts = self.facts
        return Table((name,), offsets, time, targets_of, nothing, nothing, static, facts.names, "step", facts.season)


def known_rows(config: Config) -> Table:
    """The series of a run as far as they may be looked at: targets up to where the sealed test split begins."""
    table, cuts, *_ = load_data(config.data, shape(config.data, config.model))
    sealed = np.zeros((len(table.time), 1), bool)
    for end, (_, stop) in zip(cuts.validation[:, 1].tolist(), spans(table), strict=True):
        sealed[end:stop] = True
    hidden = (np.where(sealed, np.float32(np.nan), of) for of in (table.targets, table.observed))
    targets, observed = hidden
    return table._replace(targets=targets, observed=observed)


def load(run: str | Path | None = None) -> Predictor:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder, config, model = load_run(run, Config)
    return Predictor(network(model), load_facts(folder), shape(config.data, config.model), config.data.paths)
