"""What several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ... import budgets
from ...presets import PRESETS, Config

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from ..profiling.budgets import Budgets

Preset = Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")]


def opened(run: str | None) -> tuple[Path, Config]:
    """The run folder that is meant, the latest where none is named, and the configuration that it was started with."""
    from ..core.runs import find, load_config

    folder = find(run)
    return folder, load_config(folder, Config)


def allowed() -> "Budgets":
    """What the preset `full` may cost."""
    from ..profiling.budgets import Budgets

    return Budgets(budgets.PARAMETERS, budgets.VRAM_GB, budgets.LATENCY_MS)


def report(evaluation: "Evaluation") -> dict[str, object]:
    """Write a run's report; what its results.json holds."""
    from ..profiling.budgets import section
    from ..report.results import write

    return write(evaluation, {"budgets": section(PRESETS["full"](), allowed())})
