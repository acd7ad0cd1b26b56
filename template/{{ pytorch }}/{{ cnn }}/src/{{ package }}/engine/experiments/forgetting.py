"""What a run that started from another one's weights has forgotten.

The weights before and after are measured on the validation images that the first run was chosen by and on the new run's
own: what is learned on new data alone overwrites what was known (McCloskey & Cohen 1989).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core.errors import Problem
from ..core.files import write_atomically
from ..core.runs import find, load_environment
from ..statistics.metrics import interval
from ..task import Config
from ..training.parallel import World
from ..training.trained import load_trained
from ..training.validation import measure


def forgotten(run: Path, load: Callable[[Path], Any]) -> dict[str, dict[str, Any]]:
    """Accuracy before and after, on the first run's validation images and on the new one's; also written to the run.

    `load` reads a run's configuration.

    Raises:
        Problem: the run was not started with --init.
    """
    start = load_environment(run).get("init")
    if start is None or "run" not in start:
        raise Problem(f"{run} did not start from a run: name one that was started with train --init RUN")
    first = find(start["run"])
    configs = {first: load(first), run: load(run)}
    results = {f"what {name.name} learned": difference(configs, data) for name, data in configs.items()}
    (run / "report").mkdir(exist_ok=True)
    write_atomically(run / "report" / "forgetting.json", json.dumps(results, indent=2) + "\n")
    return results


def difference(runs: dict[Path, Config], config: Config) -> dict[str, Any]:
    """Two runs' accuracies on one configuration's validation images, and the interval of their paired difference."""
    before, after = (recognised(run, its_config, config) for run, its_config in runs.items())
    change = after - before
    return {
        "before": before.mean().item(),
        "after": after.mean().item(),
        "difference": change.mean().item(),
        "ci95": interval(change),
        "n": len(change),
    }


def recognised(run: Path, its_config: Config, config: Config) -> Tensor:
    """1 for each validation image of `config` that the weights of a run recognise, else 0."""
    model = load_trained(run, its_config)
    _, metrics = measure(config.task(), model, "validation", config.train.micro_batch, world=World(), seed=config.seed)
    right = metrics["accuracy"].per_example
    assert right is not None
    return right
