"""The command `predict`."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Classify images with a trained run: their classes, and how probable each is."""

    images: Positional[tuple[Path, ...]]
    """Image files, and folders of them."""
    run: str | None = None
    """The run folder; the latest where none is named."""
    top: int = 3
    """How many classes are printed of each image."""

    def __call__(self) -> None:
        from ...predict import load

        if self.top < 1:
            raise Problem(f"--top {self.top} must be at least 1")
        classifier = load(self.run)
        for file, probabilities in classifier.classify(self.images):
            order = probabilities.argsort()[::-1][: self.top]
            print(f"{file}  " + ", ".join(f"{classifier.classes[row]} {probabilities[row]:.3f}" for row in order))
