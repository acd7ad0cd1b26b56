"""Training that starts from another run's weights, and what it makes the model forget.

`train --init RUN` starts there. `forgetting` then measures the weights before and after, on the validation images that
the first run was chosen by and on the new run's own: what is learned on new data alone overwrites what was known
(McCloskey & Cohen 1989).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from ..core.errors import Problem

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ...presets import Config
    from ...config import DataConfig

RECORD = "init.json"
"""In a run: where its first weights came from."""


@dataclass(frozen=True, kw_only=True)
class Forgetting:
    """Measure what a run that was started with --init has forgotten."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print report/forgetting.json of the run."""

    def __call__(self) -> None:
        from ..core.runs import find

        results = forgotten(find(self.run))
        if self.json:
            print(json.dumps(results, indent=2))
            return
        print(f"{'accuracy on':40}{'before':>8}{'after':>8}  difference")
        for name, row in results.items():
            low, high = row["ci95"]
            print(f"{name:40}{row['before']:8.3f}{row['after']:8.3f}  {row['difference']:+.3f}", end="")
            print(f", 95 % interval {low:+.3f} to {high:+.3f}, n = {row['n']}")


def start_from(run: str, model: "nn.Module", data: "DataConfig") -> None:
    """Give a fresh model the weights of a finished run.

    Raises:
        Problem: it has not finished, has another architecture, or was split differently.
    """
    from ..training.checkpoint import load_weights, weights_of
    from ..core.runs import find, load_config

    folder = find(run)
    before = load_config(folder).data.split
    if before != data.split:
        raise Problem(
            f"{run} was split by {before}: it has seen images that --data.split {data.split} holds out. "
            f"Fine-tune it with --data.split {before}"
        )
    load_weights(model, weights_of(folder))


def record_start(run: str, folder: Path) -> None:
    """Note in a run whose weights it starts from.

    Raises:
        Problem: it started from others, so that it would not go on as it began.
    """
    from ..training.checkpoint import weights_of
    from ..core.config_io import fingerprint
    from ..core.runs import find
    from ..core.files import write_atomically

    digest = fingerprint(weights_of(find(run)))
    file = folder / RECORD
    if not file.exists():
        write_atomically(file, json.dumps({"run": run, "weights": digest}, indent=2) + "\n")
    elif json.loads(file.read_text(encoding="utf-8"))["weights"] != digest:
        raise Problem(f"{run} no longer holds the weights that {folder} started from: restore them, or start a new run")


def forgotten(run: Path) -> dict[str, dict[str, Any]]:
    """Accuracy before and after, on the first run's validation images and on the new one's; also written to the run.

    Raises:
        Problem: the run was not started with --init.
    """
    from ..core.runs import find, load_config
    from ..core.files import write_atomically

    config = load_config(run)
    if config.init is None:
        raise Problem(f"{run} started from chance: name a run that was started with train --init RUN")
    first = find(config.init)
    configs = {f"what {first.name} learned": load_config(first), f"what {run.name} learned": config}
    results = {name: difference(first, run, data) for name, data in configs.items()}
    (run / "report").mkdir(exist_ok=True)
    write_atomically(run / "report" / "forgetting.json", json.dumps(results, indent=2) + "\n")
    return results


def difference(before: Path, after: Path, config: "Config") -> dict[str, Any]:
    """Two runs' accuracies on one configuration's validation images, and the interval of their paired difference."""
    from ..statistics.metrics import interval

    right = [recognised(run, config) for run in (before, after)]
    change = right[1] - right[0]
    return {
        "before": right[0].mean().item(),
        "after": right[1].mean().item(),
        "difference": change.mean().item(),
        "ci95": interval(change),
        "n": len(change),
    }


def recognised(run: Path, config: "Config") -> "Tensor":
    """1 for each validation image of a configuration that the weights of a run recognise, else 0."""
    from ..training.validation import measure
    from ...predict import load

    task = config.task()
    _, metrics = measure(task, load(run).model, "validation", config.train.micro_batch, seed=config.seed)
    right = metrics["accuracy"].per_example
    assert right is not None
    return right
