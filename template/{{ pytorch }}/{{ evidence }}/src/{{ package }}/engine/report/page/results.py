"""What a run has shown: the verdict, and what speaks for it."""

import io
import math
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from ...statistics.metrics import Result
from .blocks import columns, data_uri, drawn, figure, note, number, pairs, section, sentence_case, spaced, table
from .charts import Mark, curve, dots, reliability
from .markup import Part, element
from .material import Material

METRICS = 3
"""Curves of so many: a classifier may have one metric for each class, and the tables show them all."""


def verdict(material: Material) -> Element:
    """The first metric beside its floors, and the table of all metrics."""
    name, result = material.metric
    ours = Mark(name="this model", value=result.value, interval=result.ci95, ours=True)
    marks = [mark for mark in (ours, *floor_marks(result)) if math.isfinite(mark.value)]
    values = ", ".join(f"{mark.name} {mark.value:.3f}" for mark in marks)
    words = judged(name, result)
    if not marks:
        return section("verdict", "Verdict", words, metrics(material))
    chart = drawn(dots(marks, f"{spaced(name)}: {values}"), f"{sentence_case(name)}, beside its floors")
    return section("verdict", "Verdict", columns(words, chart), metrics(material))


def judged(name: str, result: Result) -> Element:
    """The verdict in words."""
    better = "Higher" if result.higher_is_better else "Lower"
    about = f"{sentence_case(name)} on the validation split{interval_words(result)}. {better} is better."
    told = [element("p", figure(result.value), class_="value"), element("p", about)]
    beaten = [floor for floor, value in result.floors.items() if result.beats(value)]
    missed = [floor for floor in result.floors if floor not in beaten]
    open_ = [floor for floor, value in result.floors.items() if result.leaves_open(value)]
    if result.floors:
        told.append(element("p", f"It beats {len(beaten)} of {len(result.floors)} floors.", class_="outcome"))
    if missed:
        told.append(element("p", f"Not beaten: {', '.join(missed)}."))
    if open_:
        told.append(element("p", f"Too close to tell, being inside the interval: {', '.join(open_)}."))
    return element("div", told)


def interval_words(result: Result) -> str:
    """The interval in a sentence."""
    if result.ci95:
        return f", with a 95 % interval of {result.ci95[0]:.3f} to {result.ci95[1]:.3f} from n = {result.n}"
    return "" if result.n is None else f", from n = {result.n}, too few for an interval"


def floor_marks(result: Result) -> list[Mark]:
    """The floors, the strongest first."""
    ordered = sorted(result.floors.items(), key=lambda item: item[1], reverse=result.higher_is_better)
    return [Mark(name=floor, value=value) for floor, value in ordered]


def metrics(material: Material) -> Element:
    """Every metric, and each floor below the metric that it belongs to."""
    rows: list[Sequence[Part]] = []
    for name, values in material.results["metrics"].items():
        result = Result.of(values)
        ends = [figure(end) for end in result.ci95 or ()]
        interval = element("span", ends[0], " to ", ends[1]) if ends else "none"
        better = "higher" if result.higher_is_better else "lower"
        rows.append([spaced(name), figure(result.value), interval, number(result.n), better])
        for mark in floor_marks(result):
            floor = element("span", mark.name, class_="floor")
            rows.append([floor, figure(mark.value), result.outcome(mark.value), None, None])
    head = ["metric and floors", "value", "95 % interval", "n", "better is"]
    return table("Metrics on the validation split", head, rows)


def curves(material: Material) -> Element | None:
    """Training loss, the first metrics, the very first beside its floors, and whatever else was recorded."""
    metrics = [f"validation/{name}" for name in material.results["metrics"]][:METRICS]
    recorded = dict.fromkeys(key for line in material.history for key in line if key != "step")
    # What is recorded of many parts of a model, such as each layer, has a name with a slash.
    others = sorted((key for key in recorded if "/" not in key), reverse=True)
    charts = [history_chart(material, key) for key in dict.fromkeys(["loss", *metrics, *others])]
    drawn_ones = [chart for chart in charts if chart is not None]
    return section("curves", "Curves", element("div", drawn_ones, class_="charts")) if drawn_ones else None


def history_chart(material: Material, key: str) -> Element | None:
    """One recorded value over the steps; a chart has no place for what is not finite."""
    lines = [line for line in material.history if key in line and math.isfinite(line[key])]
    points = [(float(line["step"]), float(line[key])) for line in lines]
    if not points:
        return None
    validated = key.startswith("validation/")
    title = "Training loss" if key == "loss" else sentence_case(key.removeprefix("validation/"))
    title += ", on part of the validation split" if validated else ""
    told = f"{title}: {points[0][1]:.4g} at step {points[0][0]:.0f}, {points[-1][1]:.4g} at step {points[-1][0]:.0f}"
    name, result = material.metric
    if key != f"validation/{name}" or not math.isfinite(result.value):
        return drawn(curve(points, told), title)
    end = Mark(name=name, value=result.value, interval=result.ci95)
    caption = f"{title}; the dot is all of it. Dashed: the floors that are near"
    return drawn(curve(points, told, end=end, floors=floor_marks(result)), caption)


def examples(material: Material) -> Element:
    """The best and the worst, and what the model says."""
    parts: list[Part] = []
    found = material.results["examples"]
    for end, title in (("best", "Where it does best"), ("worst", "Where it does worst")) if found else ():
        cards = [example(entry, material.portraits[entry["index"]]) for entry in found[end]]
        parts += [element("h3", title), element("div", cards, class_="examples")]
    if found and "share" in found["best"][0]:
        name, _ = material.metric
        parts.insert(0, note(f"In the order of their share in {spaced(name)}, which is the mean of all shares."))
    parts += [element("h3", "What it says"), element("pre", material.said)]
    return section("examples", "Examples", parts)


def example(entry: dict[str, Any], portrait: str | np.ndarray | None) -> Element:
    """One example: what is to be seen of it, and what the model made of it."""
    if "share" in entry:
        words: list[Part] = [f"Example {entry['index']}: share ", figure(entry["share"])]
    else:
        right = entry["truth"] == entry["said"]
        said = f"{entry['truth']}, taken for {'it' if right else entry['said']}, probability "
        words = [element("b", "Right: " if right else "Wrong: "), said, figure(entry["probability"])]
    caption = element("figcaption", words)
    return element("figure", seen(portrait, f"Example {entry['index']}"), caption, class_="example")


def seen(portrait: str | np.ndarray | None, name: str) -> Element | None:
    """A text or an image as it is shown."""
    if isinstance(portrait, np.ndarray):
        from matplotlib.image import imsave

        file = io.BytesIO()
        imsave(file, portrait, format="png", cmap="gray", vmin=0, vmax=1)
        return element("img", src=data_uri(file.getvalue()), alt=name)
    return None if portrait is None else element("pre", portrait)


def picture(material: Material) -> Element:
    """The task's own plot."""
    image = element("img", src=data_uri(material.picture), alt=material.caption, class_="plot")
    return section("picture", "Picture", drawn(image, material.caption))


def classes(material: Material) -> Element | None:
    """A classifier's confusion matrix, and the figures of each class."""
    found = material.results["classes"]
    if found is None:
        return None
    rows: list[Sequence[Part]] = [
        [str(one["label"]), *(figure(one[name]) for name in ("precision", "recall", "f1")), number(one["support"])]
        for one in found["per_class"]
    ]
    figures = table("Figures of each class", ["class", "precision", "recall", "F1", "support"], rows)
    matrix = confusion(found["confusion"]) if found["confusion"] else None
    return section("classes", "Classes", columns(matrix, figures))


def confusion(counts: list[list[int]]) -> Element:
    """Counts, the stronger in colour the larger their share of the row."""
    rows: list[Sequence[Part]] = [
        [str(truth), *(shaded(count, row, hit=said == truth) for said, count in enumerate(row))]
        for truth, row in enumerate(counts)
    ]
    caption = "Confusion matrix: a row is what it was, a column what it was taken for"
    return table(caption, ["", *map(str, range(len(counts)))], rows, kind="matrix")


def shaded(count: int, row: list[int], *, hit: bool) -> Element:
    """One cell of the confusion matrix."""
    share = max(count / max(sum(row), 1), 0.15)
    kind = "zero" if count == 0 else "hit" if hit else "miss"
    return element("span", number(count), class_=kind, style=f"--share: {share:.0%}")


def confidence(material: Material) -> Element | None:
    """How far a classifier's probabilities can be believed."""
    if material.results["classes"] is None:
        return None
    found = material.results["classes"]["calibration"]
    facts = {
        "expected calibration error": figure(found["ece"]),
        "of a perfect model, at most": figure(found["ece_by_chance"]),
        "Brier score": figure(found["brier"]),
        "temperature": figure(found["temperature"]),
        "error with it": figure(found["ece_calibrated"]),
    }
    told = (
        "This many examples cannot tell the model from a perfectly calibrated one."
        if found["ece"] <= found["ece_by_chance"]
        else "The error is more than chance makes of a perfectly calibrated model."
    )
    words = element("div", element("p", told), pairs(facts))
    return section("calibration", "Calibration", columns(reliability_chart(found), words))


def reliability_chart(found: dict[str, Any]) -> Element:
    """Accuracy against confidence, in bins."""
    bins = [(one["low"], one["high"], one["accuracy"], one["count"]) for one in found["bins"] if one["count"]]
    values = ", ".join(f"{accuracy:.2f} from {low:.2f} to {high:.2f}" for low, high, accuracy, _ in bins)
    caption = (
        "Accuracy against confidence. The stronger a bar's colour, the more examples stand behind it; "
        "a perfectly calibrated model's bars end on the dashed line"
    )
    return drawn(reliability(bins, f"Accuracy in bins of confidence: {values}"), caption)
