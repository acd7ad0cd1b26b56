"""The command `predict`."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Classify images with a trained run."""

    file: Positional[Path]
    """A .csv or .npy file with one image a row: 64 brightnesses from 0 to 16."""
    run: str | None = None
    """The run folder; the latest where none is named."""

    def __call__(self) -> None:
        from ...predict import load, read

        for probabilities in load(self.run).probabilities(read(self.file)):
            label = int(probabilities.argmax())
            print(f"{label}  {probabilities[label]:.3f}")
