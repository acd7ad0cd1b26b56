"""The command `forgetting`."""

import json
from dataclasses import dataclass

from tyro.conf import Positional

from ..core.table import aligned
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
        rows = [("accuracy on", "before", "after", "difference")]
        for name, row in results.items():
            low, high = row["ci95"]
            change = f"{row['difference']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}, n = {row['n']}"
            rows.append((name, f"{row['before']:.3f}", f"{row['after']:.3f}", change))
        print("\n".join(aligned(rows, "<40", ">8", ">8", "<")))
