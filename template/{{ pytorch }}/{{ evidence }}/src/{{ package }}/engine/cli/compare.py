"""The command `compare`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ..core.errors import Problem
from ..core.table import aligned
from .common import opened

if TYPE_CHECKING:
    from ..statistics.paired import Comparison

ONE_EACH = """
One training each: these pairs say what the examples say, and another seed may say otherwise. Before you adopt a change,
train both with --seeds 6 and compare the two series."""


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Say whether one of two runs is better, from pairs on the validation split."""

    a: Annotated[Positional[str], arg(metavar="A")]
    """A run folder. Several with a comma between them, or the summary of train --seeds, are paired by seed."""
    b: Annotated[Positional[str], arg(metavar="B")]
    """What to compare it with."""
    json: bool = False
    """Print JSON."""

    def __call__(self) -> None:
        from ..core.config_io import differences
        from ..core.json_io import finite
        from ..experiments.compare import compare_runs, compare_series

        a, b = named(self.a), named(self.b)
        single = len(a) == len(b) == 1
        runs, others = ([opened(str(run)) for run in side] for side in (a, b))
        found = compare_runs(runs[0], others[0]) if single else compare_series(a, b)
        pairs = "examples" if single else "seeds"
        changes = differences(runs[0][1], others[0][1])
        if self.json:
            sides = {"a": [run.as_posix() for run in a], "b": [run.as_posix() for run in b]}
            metrics = {name: asdict(one) | {"verdict": one.verdict} for name, one in found.items()}
            told = {**sides, "pairs": pairs, "differences": changes, "metrics": metrics}
            print(json.dumps(finite(told), indent=2))
            return
        print(f"A  {self.a}\nB  {self.b}\nA has {'; '.join(changes) or 'the same configuration'}\n")
        for line in table(found, pairs):
            print(line)
        if single:
            print(ONE_EACH)


def named(side: str) -> list[Path]:
    """The run folders that one side of the command line means.

    Raises:
        Problem: one of them is none, or a summary cannot be read.
    """
    from ..core.runs import find

    if not side.endswith(".json"):
        return [find(word.strip()) for word in side.split(",")]
    try:
        return [find(run) for run in json.loads(Path(side).read_text(encoding="utf-8"))["runs"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Problem(f"{side} is not the summary of train --seeds ({error}): name one, or run folders") from error


def table(found: dict[str, "Comparison"], pairs: str) -> list[str]:
    """Lines for a terminal: the figures of each metric, then what they say."""
    rows = [("metric", "A", "B", "B - A", "95 % interval", "p", "Holm", "d_z")]
    for name, one in found.items():
        ci95 = f"{one.ci95[0]:+.4f} to {one.ci95[1]:+.4f}" if one.ci95 else ""
        p, holm = ("" if value is None else f"{value:.4f}" for value in (one.p, one.p_holm))
        d_z = "" if one.d_z is None else f"{one.d_z:+.2f}"
        a, b, difference = f"{one.a:.4f}", f"{one.b:.4f}", f"{one.difference:+.4f}"
        rows.append((name.replace("_", " "), a, b, difference, ci95, p, holm, d_z))
    lines = aligned(rows, "<18", ">10", ">10", ">10", ">22", ">9", ">9", ">8")
    told: dict[str, list[str]] = {}
    for name, one in found.items():
        counted = "" if one.pairs is None else f" ({one.pairs} pairs of {pairs}, {one.differing} of them differ)"
        told.setdefault(one.verdict + counted, []).append(name.replace("_", " "))
    return [*lines, "", *(f"{', '.join(names)}: {verdict}" for verdict, names in told.items())]
