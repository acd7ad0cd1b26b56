"""The command `consolidate`."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import Problem
from .common import opened


@dataclass(frozen=True, kw_only=True)
class Consolidate:
    """Write the weights of a run's sharded checkpoint as one safetensors file, on one process."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    step: int | None = None
    """The step of the checkpoint; the best one's where none is named."""
    file: Path | None = None
    """Where to write; step-N.safetensors in the run where nothing is named."""

    def __call__(self) -> None:
        from ..core.runs import load_environment
        from ..training.checkpoint import identity_of, save_weights, saving
        from ..training.checkpoint_storage import Checkpoints
        from ..training.parallel import World

        run, config = opened(self.run)
        identity = identity_of(run, load_environment(run)["data"])
        checkpoints = Checkpoints(run / "checkpoints", identity, World())
        name = f"step-{self.step}" if self.step is not None else checkpoints.best or checkpoints.last
        if name not in checkpoints.names:
            there = ", ".join(reversed(checkpoints.names)) or "no checkpoint"
            raise Problem(f"{run} has {there}: choose with --step")
        model = config.task().model()
        checkpoints.load_evaluated(name, model)
        file = self.file or run / f"{name}.safetensors"
        with saving(f"the weights to {file}", "consolidate again"):
            save_weights(model, file)
        print(file)
