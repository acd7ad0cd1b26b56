"""The charts of the page: figures as SVG, in the colours of the page that holds them."""

import io
import math
import re
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from ..statistics.metrics import Result, rounded
from .figures import ACCENT, BASELINE, INK, LINE, MUTED, draw, recorded

STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
COLOURS = {"#000000": "var(--ink)"} | {
    colour: f"var(--{name})" for name, colour in re.findall(r"--(\w+): (#\w{6});", STYLE.partition("}")[0])
}
"""What the page calls the colours that figures are drawn in."""
METRICS = 3
"""Curves of so many: a classifier may have one metric for each class, and the tables show them all."""

UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
"""Control characters, halves of characters, and marks that change the direction of writing and so hide what is said."""


def printable(text: str) -> str:
    """The text with a replacement character for each that HTML forbids or that would mislead."""
    return UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


def history_charts(history: list[dict[str, Any]], metrics: dict[str, Result]) -> list[tuple[str, Figure, str]]:
    """Training loss, the first metrics, the very first beside its baselines, whatever else was recorded, and words."""
    names = [f"validation/{name}" for name in metrics][:METRICS]
    every = dict.fromkeys(key for line in history for key in line if key != "step")
    # What is recorded of many parts of a model, such as each layer, has a name with a slash.
    others = sorted((key for key in every if "/" not in key), reverse=True)
    charts = []
    for key in dict.fromkeys(["loss", *names, *others]):
        if points := recorded(history, key):
            figure = Figure(figsize=(4.6, 2.5), layout="constrained")
            axes = figure.subplots()
            draw(axes, history, key, next(iter(metrics.values())) if key == names[0] else None)
            axes.spines[:].set_visible(False)
            axes.grid(visible=False, axis="x")
            axes.tick_params(length=0, labelcolor=MUTED)
            axes.xaxis.label.set_color(MUTED)
            told = ", ".join(f"{value:.4g} at step {step}" for step, value in (points[0], points[-1]))
            charts.append((key, figure, told))
    return charts


def standing(result: Result) -> Figure | None:
    """A value with its interval beside its baselines, the strongest first; None where it is not finite."""
    baselines = sorted(result.baselines.items(), key=lambda baseline: baseline[1], reverse=result.higher_is_better)
    rows = [("this model", result.value), *(baseline for baseline in baselines if math.isfinite(baseline[1]))]
    if not math.isfinite(result.value):
        return None
    figure = Figure(figsize=(4.6, 0.4 * len(rows) + 0.3), layout="constrained")
    axes = figure.subplots()
    if result.ci95:
        axes.axvspan(*result.ci95, color=ACCENT, alpha=0.13, linewidth=0)
        axes.plot(result.ci95, (0, 0), "|-", color=INK)
    for row, (name, value) in enumerate(rows):
        color = BASELINE if row else INK
        axes.plot(value, row, "o", color=color)
        weight = "normal" if row else "bold"
        for place, words, side in ((0, name, "left"), (1, rounded(value), "right")):
            axes.text(
                place, row - 0.24, words, transform=axes.get_yaxis_transform(), color=color, ha=side, weight=weight,
                parse_math=False, in_layout=False,
            )  # fmt: skip
    axes.set_ylim(len(rows) - 0.6, -0.75)
    axes.set_yticks([])
    axes.margins(x=0.04)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", color=LINE)
    axes.tick_params(length=0, labelcolor=MUTED)
    return figure


def svg(figure: Figure, description: str) -> Markup:
    """A figure in the colours of the page, light or dark; the description is for those who do not see it."""
    file, description = io.StringIO(), printable(description)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": description}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    _, opening, inside = re.split(r"(<svg[^>]*>)", file.getvalue(), maxsplit=1)
    inside = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", inside, flags=re.DOTALL)
    inside = re.sub(r'<g id="[^"]*"', "<g", inside)  # the same in every figure
    inside = re.sub(r"(fill|stroke): (#\w{6})", lambda found: f"{found[1]}: {COLOURS.get(found[2], found[2])}", inside)
    [box] = re.findall(r'viewBox="([\d. ]+)"', opening)
    return Markup('<svg viewBox="{}" role="img" aria-label="{}">').format(box, description) + Markup(inside)  # noqa: S704
