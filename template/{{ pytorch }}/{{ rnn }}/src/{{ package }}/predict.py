"""Forecast with a trained run: `load().forecast(values)`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from .config import DataConfig, shape
from .data import load as load_data
from .engine.core.errors import Problem
from .engine.series.division import spans
from .engine.series.facts import Facts, load_facts
from .engine.series.future import extended, future_times, template
from .engine.series.layout import LAYOUT, Layout, load_layout
from .engine.series.metrics import LEVELS, quantiles_of
from .engine.series.reading import describe, read
from .engine.series.rows import shown
from .engine.series.table import Table, following
from .engine.series.windows import prepare
from .engine.training.trained import load_run
from .model import Forecaster, free_run, network, sampled
from .model.heads import Point
from .presets import Config

MADE_HERE = "the run was trained on series that are made here: train one on your table with --data.path"


class Forecast(NamedTuple):
    """What comes next in each of S series."""

    table: Table
    """The series, with what was known of the rows to forecast."""
    origin: np.ndarray
    """(S,): the time of the last row that is known."""
    time: np.ndarray
    """(S, H): the times that are forecast."""
    values: np.ndarray
    """(S, H, K) float64, in the units of the series."""
    quantiles: np.ndarray | None
    """(S, H, K, Q) at the levels of `engine/series/metrics.py`; None where the model says a number alone."""
    written: Callable[[np.ndarray], list[str]]
    """Writes times, (n,), as the table does that was trained on."""

    def frame(self) -> pd.DataFrame:
        """A long table: a row for each series, step and target."""
        series, steps, targets = (of.ravel() for of in np.indices(self.values.shape))
        columns: dict[str, object] = {
            "id": np.array(self.table.ids, object)[series],
            "origin": np.array(self.written(self.origin), object)[series],
            "time": np.array(self.written(self.time.ravel()), object)[series * self.values.shape[1] + steps],
            "step": steps + 1,
            "target": np.array(self.table.names.targets, object)[targets],
            "forecast": self.values.ravel().astype(np.float32),
        }
        if self.quantiles is not None:
            at_levels = self.quantiles.reshape(-1, len(LEVELS)).astype(np.float32)
            columns |= {f"q{level:g}": at_levels[:, number] for number, level in enumerate(LEVELS)}
        return pd.DataFrame(columns)


class Predictor:
    """A trained model, and the facts about its series."""

    def __init__(self, model: Forecaster, facts: Facts, config: Config, layout: Layout | None) -> None:
        """`layout` is that of the table that was trained on; None where the series were made here."""
        self.model, self.facts, self.layout = model, facts, layout
        self.data: DataConfig = config.data
        self.window = shape(config.data, config.model)

    @torch.no_grad()
    def forecast(
        self,
        series: Table | np.ndarray | pd.Series | pd.DataFrame | str | Path,
        steps: int | None = None,
        *,
        future: pd.DataFrame | str | Path | None = None,
        seed: int = 0,
    ) -> Forecast:
        """The next `steps` rows of each series; as many as the run was measured on, unless that is given.

        Quantiles are those of paths that are drawn with `seed`.

        `series` is a .csv, .parquet or frame like the one that was trained on, and `future` one with the known columns
        of the rows to forecast, where the first does not go on that far. Or `series` holds the values of one series,
        (rows,) or (rows, targets), oldest first. Of a `Table`, rows at the end whose targets are all missing are what
        is forecast.

        Raises:
            Problem: a series is too short, other columns are given than the run has, or covariates are missing.
        """
        horizon = self.window.horizon if steps is None else steps
        if horizon < 1:
            raise Problem(f"{horizon} steps cannot be forecast: at least 1")
        if isinstance(series, pd.DataFrame | str | Path):
            table = self.read(series, future, horizon)
        elif future is not None:
            raise Problem("future goes with a .csv, .parquet or frame: put the rows to forecast into the table itself")
        else:
            table = series if isinstance(series, Table) else self.as_table(np.asarray(series, np.float64))
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
            paths = sampled(self.model, y, covariates, horizon, self.data.paths, seed)
            quantiles = level[..., None] + scale[..., None] * quantiles_of(paths).cpu().double().numpy()
        if not np.isfinite(values).all():
            raise Problem("the forecast is not finite: the values given lie far outside what the run was trained on")
        ends = zip(spans(table), origins, strict=True)
        time = np.stack([ahead(table, span, row, horizon, self.layout) for span, row in ends])
        kind = "integer" if "step" in table.frequency else "naive"
        written = self.layout.shown if self.layout else partial(shown, kind=kind)
        return Forecast(table, table.time[last], time, values, quantiles, written)

    def template(self, series: pd.DataFrame | str | Path, steps: int | None = None) -> pd.DataFrame:
        """The rows that follow a table like the one that was trained on, whose known columns are to be filled in.

        Raises:
            Problem: as `forecast`.
        """
        if self.layout is None:
            raise Problem(MADE_HERE)
        horizon = self.window.horizon if steps is None else steps
        if horizon < 1:
            raise Problem(f"{horizon} steps cannot be forecast: at least 1")
        return template(read(self.data, series, self.layout).table, self.layout, horizon)

    def read(self, source: pd.DataFrame | str | Path, future: pd.DataFrame | str | Path | None, horizon: int) -> Table:
        """A table like the one that was trained on, and behind each series the rows to forecast.

        Raises:
            Problem: the run was trained on no such table, or this one cannot be read or is another kind of one.
        """
        if self.layout is None:
            raise Problem(MADE_HERE)
        found = read(self.data, source, self.layout)
        describe(found)
        return extended(self.data, source if future is None else future, found.table, self.layout, horizon)

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


def ahead(table: Table, span: tuple[int, int], origin: int, horizon: int, layout: Layout | None) -> np.ndarray:
    """The times behind a row of the series that lies in `span`, (H,): those of its rows where it has as many."""
    start, stop = span
    if stop - origin > horizon:
        return table.time[origin + 1 : origin + 1 + horizon]
    if layout:
        up_to_now = table._replace(offsets=np.array([0, origin + 1 - start]), time=table.time[start : origin + 1])
        return future_times(up_to_now, layout.grid, layout.zone, horizon)[0]
    return following(table.time[start : origin + 1], horizon, table.frequency)


def known_rows(config: Config) -> Table:
    """The series of a run as far as they may be looked at: targets up to where the sealed test split begins."""
    series = load_data(config.data, shape(config.data, config.model))
    table, cuts = series.table, series.cuts
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
    layout = load_layout(folder) if (folder / LAYOUT).exists() else None
    return Predictor(network(model), load_facts(folder), config, layout)
