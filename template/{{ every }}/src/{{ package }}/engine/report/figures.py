"""The plots of a report."""

from typing import Any

from matplotlib.figure import Figure

from ..statistics.metrics import Result


def curves(history: list[dict[str, Any]], results: dict[str, Result]) -> Figure:
    """Training loss, and the first metric on the validation split beside its floors."""
    name, result = next(iter(results.items()))
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    training = [(line["step"], line["loss"]) for line in history if "loss" in line]
    validation = [(line["step"], line[f"validation/{name}"]) for line in history if f"validation/{name}" in line]
    left.plot(*zip(*training, strict=True) if training else ((), ()))
    left.set(xlabel="step", ylabel="loss", title="Training loss")
    title = name.replace("_", " ")
    right.plot(*zip(*validation, strict=True), marker="o", label="validation, while training")
    low, high = result.ci95 or (result.value, result.value)
    error = [[result.value - low], [high - result.value]]
    label = "validation, all of it" + (", with its 95 % interval" if result.ci95 else "")
    right.errorbar(
        [history[-1]["step"]], [result.value], error, color="black", fmt="o", capsize=3, zorder=3, label=label
    )
    for number, (floor, value) in enumerate(sorted(result.floors.items(), key=lambda item: -item[1])):
        right.axhline(value, linestyle="--", linewidth=1, color=f"C{number + 1}", label=f"{floor} {value:.3f}")
    right.set(xlabel="step", ylabel=title, title=title[0].upper() + title[1:])
    right.legend(fontsize="small")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure
