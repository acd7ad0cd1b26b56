"""The command `robustness`."""

import json
from dataclasses import dataclass

from tyro.conf import Positional

from ..core.errors import Problem
from ..core.table import aligned
from .common import opened


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """Measure a run on validation images that are attacked or corrupted."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    epsilon: float = 0.1
    """How far an attack may change a pixel; brightnesses go from 0 to 1."""
    json: bool = False
    """Print report/robustness.json of the run."""

    def __call__(self) -> None:
        from ...perturbations import perturbed
        from ..experiments.robustness import robustness

        if not 0 <= self.epsilon <= 1:
            raise Problem(f"--epsilon {self.epsilon} must be 0 to 1")
        results = robustness(*opened(self.run), self.epsilon, perturbed)
        if self.json:
            print(json.dumps(results, indent=2))
            return
        rows = [
            (name, f"{row['accuracy']:.3f}", "95 % interval {:.3f} to {:.3f}, n = {}".format(*row["ci95"], row["n"]))
            for name, row in results.items()
        ]
        print("\n".join(aligned(rows, "<32", ">8", "<")))
