"""One safetensors file from a sharded checkpoint, on one process: `python -m <package>.consolidate --help`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional

from ..core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Consolidate:
    """Write the weights of a run's checkpoint, whole, as one safetensors file."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    step: int | None = None
    """The step of the checkpoint; the best one's where none is named."""
    file: Path | None = None
    """Where to write; step-N.safetensors in the run where nothing is named."""

    def __call__(self) -> Path:
        from ..training.checkpoint import Identity, save_weights, saving
        from ..training.parallel import World
        from ..core.config_io import fingerprint
        from ..core.runs import find, load_config, load_environment
        from ..training.checkpoint_storage import Checkpoints

        run = find(self.run)
        identity = Identity(fingerprint(run / "config.json"), load_environment(run)["data"])
        checkpoints = Checkpoints(run / "checkpoints", identity, World())
        name = f"step-{self.step}" if self.step is not None else checkpoints.best or checkpoints.last
        if name not in checkpoints.names:
            there = ", ".join(reversed(checkpoints.names)) or "no checkpoint"
            raise Problem(f"{run} has {there}: choose with --step")
        model = load_config(run).task().model()
        checkpoints.load_evaluated(name, model)
        file = self.file or run / f"{name}.safetensors"
        with saving(f"the weights to {file}", "consolidate again"):
            save_weights(model, file)
        return file


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the file that was written; a `Problem` becomes one line and exit code 1."""
    command = tyro.cli(Consolidate, prog=f"python -m {__spec__.name}", args=arguments)
    try:
        print(command())
    except Problem as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
