"""The README of a trained model's folder: what it is, from what it was made, and what was measured."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config import Config
from .splits import write_atomically


def write(folder: Path, config: Config, facts: Mapping[str, Any]) -> None:
    """Write README.md; `facts` holds what was measured, by its name."""
    write_atomically(folder / "README.md", text(config, facts))


def text(config: Config, facts: Mapping[str, Any]) -> str:
    """The card, with the front matter that the Hugging Face Hub reads."""
    return "\n".join([*front_matter(config), *heading(config), *training(config), *measured(facts), *limits()]) + "\n"


def front_matter(config: Config) -> list[str]:
    """Every value is JSON, which YAML reads as it is."""
    values = {"base_model": config.model.base, "library_name": "transformers", "pipeline_tag": "text-generation"}
    return ["---", *(f"{name}: {json.dumps(value)}" for name, value in values.items()), "---", ""]


def heading(config: Config) -> list[str]:
    """What it is."""
    return [
        f"# {config.model.base}, fine-tuned",
        "",
        f"{config.model.base} after supervised fine-tuning on {config.data.train} expert trajectories, generated with "
        f"seed {config.data.seed}, in the protocol `{config.data.protocol}`. The loss was taken on the assistant's "
        "turns alone.",
        "",
    ]


def training(config: Config) -> list[str]:
    """How it was trained."""
    model, train = config.model, config.train
    adapters = f"rank {model.rank}, alpha {model.alpha}, dropout {model.dropout}, on all seven linear projections"
    rows = {
        "trained": "all weights" if model.adapter == "full" else f"{model.adapter}: {adapters}",
        "duration": f"{train.steps} steps" if train.steps else f"{train.epochs} epochs",
        "batch": f"{train.batch} {'rows of packed trajectories' if train.packing else 'trajectories'}",
        "longest trajectory": f"{train.length} tokens; none was cut",
        "learning rate": f"{train.learning_rate}, warm-up over {train.warmup:.0%} of the steps, then a cosine to 0",
        "seed": config.seed,
    }
    return ["## Training", "", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items()), ""]


def measured(facts: Mapping[str, Any]) -> list[str]:
    """What was measured, on the validation split."""
    rows = (
        f"| {name} | {value:.4g} |" if isinstance(value, float) else f"| {name} | {value} |"
        for name, value in facts.items()
    )
    return ["## Measured on the validation split", "", "| | |", "|---|---|", *rows, ""]


def limits() -> list[str]:
    """What it is not for."""
    return [
        "## Limits",
        "",
        "The tasks were generated, and the trajectories are those of one expert: success on other tasks is not "
        "shown by these figures. What the model writes has to be checked before it is executed anywhere else than "
        "in a database or a game of its own.",
    ]
