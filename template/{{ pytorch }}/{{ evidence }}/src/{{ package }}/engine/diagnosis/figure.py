"""What `diagnose` saw, as a picture."""

from matplotlib.figure import Figure

from .observations import Observations
from .rules import DEAD, VANISHED


def draw(seen: Observations) -> Figure:
    """The loss, the metric on both splits, the gradient of each layer, and its units that learn nothing."""
    height = 1 + 0.2 * len(seen.layers)
    figure = Figure(figsize=(11, 4 + height), layout="constrained")
    (loss, metric), (gradients, units) = figure.subplots(2, 2, height_ratios=(4, height))

    loss.plot(list(seen.losses), list(seen.losses.values()), marker=".")
    loss.axhline(seen.initial, linestyle="--", linewidth=1, color="gray", label="untrained")
    if seen.origin:
        loss.axvline(seen.origin.step, color="C3", linewidth=1, label="not finite")
    loss.set(xlabel="step", ylabel="loss", title="Training loss")
    loss.legend(fontsize="small")

    title = seen.metric.replace("_", " ")
    metric.plot(list(seen.validations), list(seen.validations.values()), marker=".", label="while training")
    for name, result, colour in (("training split", seen.train, "C1"), ("validation split", seen.validation, "C0")):
        if result:
            low, high = result.ci95 or (result.value, result.value)
            metric.plot(seen.steps, result.value, "o", color=colour, label=name)
            metric.vlines(seen.steps, low, high, color=colour)
    metric.set(xlabel="step", ylabel=title, title="Metric of both splits")
    metric.legend(fontsize="small")

    names, strongest = [layer.name for layer in seen.layers], max((layer.gradient for layer in seen.layers), default=0)
    gradients.barh(names, [layer.gradient / (strongest or 1) for layer in seen.layers])
    gradients.axvline(VANISHED, linestyle="--", linewidth=1, color="gray")
    gradients.set_xscale("log")
    # Over the decades that are healthy and two below.
    gradients.set(xlabel="share of the strongest", title="Gradient of each layer", xlim=(VANISHED / 100, 2))
    gradients.tick_params(axis="y", labelsize="small")

    units.sharey(gradients)
    units.barh(names, [layer.dead / layer.units for layer in seen.layers], color="C3")
    units.axvline(DEAD, linestyle="--", linewidth=1, color="gray")
    units.set(xlabel="share of the units", title="Units that learn nothing", xlim=(0, 1))
    units.tick_params(labelleft=False)
    gradients.invert_yaxis()
    for axes in (loss, metric, gradients, units):
        axes.grid(alpha=0.3)
    return figure
