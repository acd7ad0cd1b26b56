"""The command `forgetting`."""

import json
from dataclasses import dataclass

from tyro.conf import Positional

from .common import opened


@dataclass(frozen=True, kw_only=True)
class Forgetting:
    """Measure what a run that was started with --init has forgotten."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print report/forgetting.json of the run."""

    def __call__(self) -> None:
        from ..experiments.forgetting import forgotten

        results = forgotten(opened(self.run)[0], lambda run: opened(str(run))[1])
        if self.json:
            print(json.dumps(results, indent=2))
            return
        print(f"{'accuracy on':40}{'before':>8}{'after':>8}  difference")
        for name, row in results.items():
            low, high = row["ci95"]
            print(f"{name:40}{row['before']:8.3f}{row['after']:8.3f}  {row['difference']:+.3f}", end="")
            print(f", 95 % interval {low:+.3f} to {high:+.3f}, n = {row['n']}")
