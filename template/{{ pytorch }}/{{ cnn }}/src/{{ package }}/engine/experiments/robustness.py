"""`robustness`: the accuracy that is left where the validation images are attacked or corrupted."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from ..core.errors import Problem

if TYPE_CHECKING:
    from torch import Tensor, nn


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
        from ..core.runs import find

        if not 0 <= self.epsilon <= 1:
            raise Problem(f"--epsilon {self.epsilon} must be 0 to 1")
        results = robustness(find(self.run), self.epsilon)
        if self.json:
            print(json.dumps(results, indent=2))
            return
        for name, row in results.items():
            low, high = row["ci95"]
            print(f"{name:32}{row['accuracy']:>8.3f}  95 % interval {low:.3f} to {high:.3f}, n = {row['n']}")


def robustness(run: Path, epsilon: float) -> dict[str, dict[str, Any]]:
    """The accuracy on each kind of images, with its interval; also written to the run."""
    from ..statistics.metrics import interval
    from ..core.files import write_atomically

    results = {}
    for name, right in recognised(run, epsilon).items():
        results[name] = {"accuracy": right.mean().item(), "ci95": interval(right, share=True), "n": len(right)}
    (run / "report").mkdir(exist_ok=True)
    write_atomically(run / "report" / "robustness.json", json.dumps(results, indent=2) + "\n")
    return results


def recognised(run: Path, epsilon: float) -> dict[str, "Tensor"]:
    """For each kind of images: 1 where the model is right, else 0."""
    import torch

    from ...perturbations import CORRUPTIONS, fgsm, pgd
    from ...predict import load
    from ..core.runs import load_config
    from ..training.seeding import be_deterministic, generator, key

    # Attacks follow gradients.
    be_deterministic()
    config, model = load_config(run), load(run).model
    images = config.task().data("validation")
    device = next(model.parameters()).device
    x, y = torch.from_numpy(images.x).to(device), torch.from_numpy(images.y).to(device)

    def noise(kind: str) -> torch.Generator:
        return generator(device, key(config.seed, "robustness", kind))

    kinds = {"clean": x} | {name: corrupted(x, noise(name)) for name, corrupted in CORRUPTIONS.items()}
    kinds[f"FGSM, epsilon {epsilon:g}"] = fgsm(model, x, y, epsilon)
    kinds[f"PGD, epsilon {epsilon:g}"] = pgd(model, x, y, epsilon, noise("PGD"))
    return {name: right(model, changed, y) for name, changed in kinds.items()}


def right(model: "nn.Module", x: "Tensor", y: "Tensor") -> "Tensor":
    """1 for each image that the model recognises, else 0."""
    import torch

    with torch.no_grad():
        return (model(x).argmax(1) == y).double().cpu()
