"""Plots of forecasts."""

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from .metrics import INTERVALS
from .table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 3
"""Windows, or series."""
PAST = 3
"""Of a series, its last rows are shown: so many for each that is forecast."""
TRUTH, FORECAST = "#5b616c", "#1d5fc4"


def forecasts(past: Tensor, truth: Tensor, seen: Tensor, forecast: Tensor, name: str, reach: Tensor) -> "Figure":
    """Some windows, (n, R) up to the origin and (n, H) behind it: what was, and what was forecast.

    Beside them, the mean norm of gradients, (m, T), by the inputs of so many steps back.
    """
    from matplotlib.figure import Figure

    chosen = np.linspace(0, len(truth) - 1, min(SHOWN, len(truth))).round().astype(int).tolist()
    figure = Figure(figsize=(14, 3.2), layout="constrained")
    *cells, last = figure.subplots(1, len(chosen) + 1, squeeze=False)[0]
    for number, (axes, row) in enumerate(zip(cells, chosen, strict=True)):
        before, ahead = np.arange(1 - past.shape[1], 1), np.arange(1, truth.shape[1] + 1)
        gone = np.where(seen[row].numpy(), truth[row].numpy(), np.nan)
        axes.plot(
            np.append(before, ahead),
            np.append(past[row].numpy(), gone),
            color=TRUTH,
            linewidth=3,
            alpha=0.5,
            label="truth",
        )
        said = np.append(past[row, -1].numpy(), forecast[row].numpy())
        axes.plot(np.append(0, ahead), said, color=FORECAST, label="forecast")
        axes.axvline(0, color="#dddfe3", zorder=0)
        axes.set(xlabel="rows from the origin", ylabel=f"{name}, in deviations" if number == 0 else None)
    cells[0].legend(frameon=False, fontsize="small")
    last.plot(reach.mean(0).numpy(), color=FORECAST)
    last.set_yscale("log")
    last.set(xlabel="steps back", ylabel="gradient of a forecast by its inputs")
    last.grid(alpha=0.3)
    return figure


def by_horizon(
    model: np.ndarray, simple: dict[str, np.ndarray], coverage: dict[int, np.ndarray] | None = None
) -> "Figure":
    """NRMSE of each step ahead, (H,), beside that of simple methods, and where it is known, what intervals hold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8 if coverage is None else 13, 4), layout="constrained")
    axes, *more = figure.subplots(1, 1 if coverage is None else 2, squeeze=False)[0]
    ahead = np.arange(1, len(model) + 1)
    for name, values in simple.items():
        axes.plot(ahead, values, linewidth=1, label=name)
    axes.plot(ahead, model, color="black", linewidth=2, label="this model")
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_yscale("log")
    axes.set(xlabel="steps ahead, running free", ylabel="NRMSE", xlim=(1, None))
    axes.grid(alpha=0.3)
    for other in more:
        for share, values in (coverage or {}).items():
            [line] = other.plot(ahead, values, label=f"interval of {share} %")
            other.axhline(share / 100, color=line.get_color(), linestyle="--", linewidth=1)
        other.set(xlabel="steps ahead", ylabel="share of the truth inside", ylim=(0, 1.02))
        other.legend(frameon=False, loc="lower right")
    return figure


def continued(table: Table, time: np.ndarray, values: np.ndarray, quantiles: np.ndarray | None = None) -> "Figure":
    """The ends of some series, and their forecasts, (S, H, K) at the times (S, H), with quantiles, (S, H, K, Q)."""
    from matplotlib.figure import Figure

    rows = min(SHOWN, len(table.ids))
    figure = Figure(figsize=(9, 0.5 + 2.5 * rows), layout="constrained")
    for number, axes in enumerate(figure.subplots(rows, 1, squeeze=False)[:, 0]):
        first, behind = (int(of) for of in table.offsets[number : number + 2])
        stop = first + 1 + int(np.flatnonzero(np.isfinite(table.targets[first:behind]).any(1))[-1])
        start = max(first, stop - PAST * time.shape[1])
        past = table.targets[start:stop]
        kind = np.int64 if "step" in table.frequency else "datetime64[ns]"
        before, ahead = table.time[start:stop].astype(kind), time[number].astype(kind)
        for target, name in enumerate(table.names.targets):
            [line] = axes.plot(before, past[:, target], label=name)
            axes.plot(ahead, values[number, :, target], color=line.get_color(), linestyle="--")
            if quantiles is not None:
                of = quantiles[number, :, target]
                for low, high in INTERVALS.values():
                    axes.fill_between(ahead, of[:, low], of[:, high], color=line.get_color(), alpha=0.2, linewidth=0)
        axes.set_title(table.ids[number], loc="left", fontsize="medium", parse_math=False)
        axes.grid(alpha=0.3)
    return figure
