"""What the notebooks show as pictures: kinds of tasks, lengths of trajectories, and losses."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..agent.chat_template import Example
from ..core.errors import Problem
from ..core.tracking import read
from ..finetuning.trajectories import Trajectory

BINS = 30
BAR = 0.3
"""Inches of a picture's height for each bar."""


@dataclass(frozen=True)
class Picture:
    """A PNG that marimo and Jupyter show where it is the last value of a cell."""

    png: bytes

    def _repr_png_(self) -> bytes:
        """Both look for this name."""
        return self.png

    @classmethod
    def of(cls, figure: Figure) -> "Picture":
        """A figure, drawn."""
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=100)
        return cls(image.getvalue())


def kinds(splits: Mapping[str, Sequence[Trajectory]]) -> Picture:
    """How many trajectories of each kind of task there are in each split."""
    counts = {split: Counter(one.kind for one in members) for split, members in splits.items()}
    names = sorted(set().union(*counts.values()))
    figure, axes = blank(len(names))
    left = [0] * len(names)
    for split, counted in counts.items():
        width = [counted[name] for name in names]
        axes.barh(names, width, left=left, label=split)
        left = [sum(pair) for pair in zip(left, width, strict=True)]
    axes.set(xlabel="trajectories")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.invert_yaxis()
    axes.legend()
    return Picture.of(figure)


def lengths(examples: Sequence[Example], limit: int) -> Picture:
    """The trajectories' lengths in tokens, and the longest that a training takes."""
    figure, axes = blank()
    axes.hist([len(example.input_ids) for example in examples], bins=BINS)
    axes.axvline(limit, linestyle="--", color="black", label=f"limit {limit}")
    axes.set(xlabel="tokens", ylabel="trajectories", xlim=(0, None))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return Picture.of(figure)


def losses(run: Path) -> Picture:
    """The loss on what is trained on and on the validation split, over the steps.

    Raises:
        Problem: the run has no record.
    """
    records = read(run / "metrics.jsonl")
    if not records:
        raise Problem(f"{run} has no metrics.jsonl: train first")
    figure, axes = blank()
    for name, mark in (("loss", ""), ("validation/loss", "o")):
        points = [(record["step"], record[name]) for record in records if name in record]
        axes.plot(*zip(*points, strict=True) if points else ((), ()), marker=mark, label=name.split("/")[0])
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set(xlabel="step", ylabel="loss in nats a supervised token")
    axes.legend()
    return Picture.of(figure)


def blank(bars: int = 0) -> tuple[Figure, Axes]:
    """An empty picture, high enough for its bars."""
    figure = Figure(figsize=(8, max(3.0, 1.0 + BAR * bars)), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes
