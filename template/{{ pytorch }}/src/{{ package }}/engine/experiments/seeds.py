"""Trainings that differ in their seed alone, and what they say together.

The runs of a series are ordinary ones. The environment.json of each names the series, from the moment the run can be
seen, so `--resume` needs nothing else to go on with what is left after a kill at any moment.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core import runs
from ..core.errors import Problem
from ..core.files import write_atomically
from ..statistics.metrics import ANYWHERE, SHARE, Result, baseline_rows, t_interval
from ..task import Config

RESULTS = Path("report", "results.json")


class Spread(NamedTuple):
    """A metric over several seeds."""

    values: list[float]
    mean: float
    sd: float
    """Standard deviation over the seeds, with n - 1."""
    ci95: tuple[float, float]
    """95 % interval of the mean: of Student's t, as so few values drawn again would give one that is too narrow."""
    higher_is_better: bool
    baselines: dict[str, float]

    def rows(self, name: str) -> list[tuple[str, str, str]]:
        """The mean and its baselines, for a terminal."""
        low, high = self.ci95
        remark = f"sd {self.sd:.4f}, 95 % interval {low:.3f} to {high:.3f} over {len(self.values)} seeds"
        result = Result(self.mean, self.ci95, len(self.values), self.higher_is_better, self.baselines)
        return [(name.replace("_", " "), f"{self.mean:.3f}", remark), *baseline_rows(result)]


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
        spreads = spread([json.loads((run / RESULTS).read_text(encoding="utf-8"))["metrics"] for run in members])
        summary = {
            "seeds": list(self.seeds),
            "runs": [run.as_posix() for run in members],
            "metrics": {name: found._asdict() for name, found in spreads.items()},
        }
        file = runs.RUNS / f"{self.name}-seeds.json"
        write_atomically(file, json.dumps(summary, indent=2) + "\n")
        return file, spreads


def new(config: Config, count: int) -> Series:
    """The series that begins with this configuration."""
    return Series(runs.unused(runs.RUNS, config.preset).name, range(config.seed, config.seed + count))


def seed_of(run: Path) -> int:
    """The seed that a run was started with."""
    seed: int = json.loads((run / "config.json").read_text(encoding="utf-8"))["seed"]
    return seed


def of(run: Path) -> Series | None:
    """The series that a run belongs to; None for a run by itself."""
    recorded = runs.load_environment(run).get("series")
    return Series(recorded["name"], range(*recorded["seeds"])) if recorded else None


def spread(results: list[dict[str, Any]]) -> dict[str, Spread]:
    """Each metric over the seeds, from the metrics of their results.json."""
    found = {}
    for name, first in results[0].items():
        values = [result[name]["value"] for result in results]
        sd = float(np.std(values, ddof=1))
        ci95 = t_interval(values, SHARE if first.get("share") else ANYWHERE)
        found[name] = Spread(values, float(np.mean(values)), sd, ci95, first["higher_is_better"], first["baselines"])
    return found
