"""The accuracy that is left where the validation images are attacked or corrupted."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.files import write_atomically
from ..statistics.metrics import interval
from ..task import Config
from ..training.seeding import be_deterministic, derive_seed, generator
from ..training.trained import load_trained

TOGETHER = 512
"""Images that are attacked at once."""
Perturbed = Callable[[nn.Module, Tensor, Tensor, float, Callable[[str], torch.Generator]], dict[str, Tensor]]
"""Makes each kind of changed images from images and labels, an epsilon, and a generator by name."""


def robustness(run: Path, config: Config, epsilon: float, perturbed: Perturbed) -> dict[str, dict[str, Any]]:
    """The accuracy on each kind of images, with its interval; also written to the run."""
    results = {}
    for name, right in recognised(run, config, epsilon, perturbed).items():
        results[name] = {"accuracy": right.mean().item(), "ci95": interval(right, share=True), "n": len(right)}
    (run / "report").mkdir(exist_ok=True)
    write_atomically(run / "report" / "robustness.json", json.dumps(results, indent=2) + "\n")
    return results


def recognised(run: Path, config: Config, epsilon: float, perturbed: Perturbed) -> dict[str, Tensor]:
    """For each kind of images: 1 where the model is right, else 0."""
    be_deterministic()  # attacks follow gradients
    model, images = load_trained(run, config), config.task().data("validation")
    device = next(model.parameters()).device
    found: dict[str, list[Tensor]] = defaultdict(list)
    for start in range(0, len(images), TOGETHER):
        indices = np.arange(start, min(start + TOGETHER, len(images)))
        x, y = (value.to(device) for value in images.batch(indices, None).values())

        def noise(kind: str, start: int = start) -> torch.Generator:
            return generator(device, derive_seed(config.seed, "robustness", kind, start))

        for name, changed in ({"clean": x} | perturbed(model, x, y, epsilon, noise)).items():
            found[name].append(right(model, changed, y))
    return {name: torch.cat(parts) for name, parts in found.items()}


def right(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """1 for each image that the model recognises, else 0."""
    with torch.no_grad():
        return (model(x).argmax(1) == y).double().cpu()
