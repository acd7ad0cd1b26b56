"""Trainings that differ in their seed alone, and what they say together.

The runs of a series are ordinary ones. The environment.json of each names the series, from the moment the run can be
seen, so `--resume` needs nothing else to go on with what is left after a kill at any moment.
"""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ..core import runs
from ..core.errors import Problem
from ..core.files import write_atomically
from ..core.json_io import read_json
from ..statistics.metrics import ANYWHERE, SHARE, Result, rounded, t_interval
from ..task import Config
from ..training.checkpoint import weights_of

RESULTS = Path("report", "results.json")


@dataclass(frozen=True, kw_only=True)
class Spread(Result):
    """A metric over several seeds: `value` is the mean, beside the baselines of the first seed.

    The interval is Student's t, as so few values drawn again would give one that is too narrow.
    """

    values: list[float]
    sd: float
    """Standard deviation over the seeds, with n - 1."""

    @property
    def remark(self) -> str:
        assert self.ci95 is not None
        low, high = map(rounded, self.ci95)
        return f"sd {self.sd:.4f}, 95 % interval {low} to {high} over {self.n} seeds"


@dataclass(frozen=True)
class Series:
    """Which trainings belong together."""

    name: str
    seeds: range

    def as_dict(self) -> dict[str, Any]:
        """What a run's environment.json says of it."""
        return {"series": {"name": self.name, "seeds": [self.seeds.start, self.seeds.stop]}}

    def member(self, seed: int) -> tuple[Path | None, bool]:
        """The run with this seed, if it was begun, and whether it was finished and reported."""
        for file in sorted(runs.RUNS.glob("[0-9]*/environment.json")):
            if of(file.parent) == self and seed_of(file.parent) == seed:
                return file.parent, (file.parent / RESULTS).is_file()
        return None, False

    def write(self) -> tuple[Path, dict[str, Spread]]:
        """The summary beside the runs, once all of them are finished.

        Raises:
            Problem: the data changed on the way.
        """
        members = [run for run, _ in map(self.member, self.seeds) if run]
        if len({runs.load_environment(run)["data"] for run in members}) > 1:
            raise Problem(f"the data changed between the runs of {self.name}: train all of them again")
        spreads = spread(reported(members))
        summary = {
            "seeds": list(self.seeds),
            "runs": [run.as_posix() for run in members],
            "metrics": {name: found.as_dict() for name, found in spreads.items()},
        }
        file = runs.RUNS / f"{self.name}-seeds.json"
        write_atomically(file, json.dumps(summary, indent=2) + "\n")
        return file, spreads


def new(config: Config, count: int) -> Series:
    """The series that begins with this configuration."""
    return Series(runs.unused(runs.RUNS, config.preset).name, range(config.seed, config.seed + count))


def seed_of(run: Path) -> int:
    """The seed that a run was started with."""
    seed: int = read_json(run / "config.json", "seed")["seed"]
    return seed


def of(run: Path) -> Series | None:
    """The series that a run belongs to; None for a run by itself."""
    recorded = runs.load_environment(run).get("series")
    return Series(recorded["name"], range(*recorded["seeds"])) if recorded else None


def reported(several: Sequence[Path]) -> list[dict[str, Result]]:
    """The metrics of each run's results.json, but for those that one of the runs has no number for: they are named.

    Raises:
        Problem: a run has not finished, or has no report.
    """
    found, left_out = [], set()
    for run in several:
        weights_of(run)
        if not (run / RESULTS).is_file():
            raise Problem(f"{run} has no report: write it with report {run}")
        metrics = read_json(run / RESULTS, "metrics", remedy=f"write it again with report {run}")["metrics"]
        found.append({name: Result.of(values) for name, values in metrics.items()})
        for name in (name for name, result in found[-1].items() if not math.isfinite(result.value)):
            print(f"{name} could not be computed in {run}: it is left out", file=sys.stderr)
            left_out.add(name)
    return [{name: result for name, result in one.items() if name not in left_out} for one in found]


def spread(results: Sequence[dict[str, Result]]) -> dict[str, Spread]:
    """Each metric over the seeds."""
    found = {}
    for name, first in results[0].items():
        values = [result[name].value for result in results]
        ci95 = t_interval(values, SHARE if first.share else ANYWHERE)
        about = (first.higher_is_better, first.baselines, first.share)
        found[name] = Spread(fmean(values), ci95, len(values), *about, values=values, sd=stdev(values))
    return found
