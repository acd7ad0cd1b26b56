"""What several commands share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ...presets import GPU, PRESETS, Config, agent_task
from ..config import TINY

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation

Preset = Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")]


def opened(run: str | None) -> tuple[Path, Config]:
    """The run folder that is meant, the latest where none is named, and the configuration that it was started with."""
    from ..core.runs import find, load_config

    folder = find(run)
    return folder, load_config(folder, Config)


def report(run: Path, config: Config) -> None:
    """Write a run's report, and print what it says."""
    from ..evaluation.evaluation import evaluate
    from ..report.results import write

    evaluation = evaluate(run, config, agent_task())
    write(evaluation)
    show_evaluation(evaluation)
    print(f"\nrun: {run}\nreport: {run / 'report'}")


def show_memory(config: Config, gpu: str = GPU) -> None:
    """Print what a training takes of a GPU; of a tiny model, that it fits."""
    from ..memory.fit import Fitting, Setup, lines
    from ..models.architectures import architecture

    if config.model.base in TINY:
        print(f"{config.model.base} is made on the spot and fits anywhere", file=sys.stderr)
        return
    setup = Setup(config.model, config.train, gpu)
    for line in lines(Fitting(architecture(config.model.base)), setup):
        print(line, file=sys.stderr)


def show_evaluation(evaluation: "Evaluation") -> None:
    """Print success beside its baselines, what the training changed, and where the failures can be read."""
    from ..statistics.metrics import show

    show(evaluation.results)
    print()
    for name, found in evaluation.comparisons.items():
        if name != "success" and not found.differing:
            continue
        judged = "" if found.p is None else f", p = {found.p:.4f}"
        print(f"{name}: {found.a:.3f} before, {found.b:.3f} after ({found.difference:+.3f}{judged}): {found.verdict}")
    print(f"\n{evaluation.samples.partition(chr(10))[0]}; to read: {evaluation.failures}")
