"""The plots of a report."""

import math
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..statistics.metrics import Result, rounded

INK, MUTED, LINE, SURFACE = "#1b1d22", "#5b616c", "#dddfe3", "#ffffff"
ACCENT, BASELINE, BAD = "#1d5fc4", "#8f4a00", "#b3261e"
"""The colours of a light page."""
GAP = 0.075
"""Between two names of baselines, as a share of the plot's height."""


def curves(history: list[dict[str, Any]], results: dict[str, Result]) -> Figure:
    """Training loss, and the first metric on the validation split beside its baselines."""
    name, result = next(iter(results.items()))
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw(left, history, "loss")
    left.set_title("Training loss", loc="left")
    draw(right, history, f"validation/{name}", result)
    title = name.replace("_", " ")
    right.set_title(title[0].upper() + title[1:], loc="left")
    right.legend(fontsize="small", loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    return figure


def draw(axes: Axes, history: list[dict[str, Any]], key: str, result: Result | None = None) -> None:
    """A recorded value over the steps; with a result, that of the whole split at the end, and the baselines near it."""
    points = recorded(history, key)
    label = "validation, while training" if result else None
    axes.plot(*zip(*points, strict=True) if points else ((), ()), color=ACCENT, linewidth=1.75, label=label)
    axes.set(xlabel="step")
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.grid(color=LINE)
    if result and math.isfinite(result.value):
        low, high = result.ci95 or (result.value, result.value)
        error = [[result.value - low], [high - result.value]]
        label = "all of it" + (", with its 95 % interval" if result.ci95 else "")
        axes.errorbar(
            [history[-1]["step"]], [result.value], error, color=INK, fmt="o", capsize=3, zorder=3, label=label
        )
        draw_baselines(axes, result.baselines, [low, high, *(value for _, value in points)])


def recorded(history: list[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    """Steps and values; a plot has no place for what is not finite."""
    return [(line["step"], line[key]) for line in history if key in line and math.isfinite(line[key])]


def draw_baselines(axes: Axes, baselines: dict[str, float], values: list[float]) -> None:
    """A dashed line for each baseline that lies no farther off than the values do from each other.

    The others would flatten the curve: they stand below it.
    """
    reach = max(values) - min(values)
    ordered = sorted(
        (baseline for baseline in baselines.items() if math.isfinite(baseline[1])), key=lambda baseline: baseline[1]
    )
    near = [baseline for baseline in ordered if min(values) - reach <= baseline[1] <= max(values) + reach]
    for _, value in near:
        axes.axhline(value, color=BASELINE, linewidth=1, linestyle="--", zorder=1)
    low, high = axes.get_ylim()
    if near:
        high += 1.2 * GAP * (high - low)  # room for the name of the highest
        axes.set_ylim(low, high)
    # At the left, since curves near the baselines at the right.
    for (baseline, _), height in zip(near, apart([(value - low) / (high - low) for _, value in near]), strict=True):
        axes.text(
            0.01,
            height,
            f"{baseline} {rounded(baselines[baseline])}",
            transform=axes.transAxes,
            color=BASELINE,
            fontsize="small",
            parse_math=False,
            in_layout=False,
            bbox={"facecolor": SURFACE, "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )  # fmt: skip
    far = ", ".join(f"{baseline} {rounded(value)}" for baseline, value in ordered if (baseline, value) not in near)
    if far:
        axes.set_xlabel(fill(f"step (farther off: {far})", 64), fontsize="small", parse_math=False)


def apart(heights: list[float]) -> list[float]:
    """Heights in ascending order, moved as little as keeps a gap between any two, and below the top."""
    raised: list[float] = []
    for height in heights:
        raised.append(max(height, raised[-1] + GAP) if raised else height)
    return [min(height, 1 - GAP * (len(raised) - place)) for place, height in enumerate(raised)]
