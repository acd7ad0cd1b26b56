"""Classify images with a trained run: `load().probabilities(images)`."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .data import inputs
from .engine.core.errors import Problem
from .engine.training.trained import load_run
from .presets import Config


class Classifier:
    """A trained model."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    @torch.no_grad()
    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """One row of probabilities, (n, classes), for each image of (n, 64) brightnesses from 0 to 16.

        Raises:
            Problem: the images have another shape, or hold something that is no brightness.
        """
        x = inputs(images)
        if not x.isfinite().all():
            raise Problem("the images hold values that are missing or infinite")
        if images.min() < 0 or images.max() > 16:
            raise Problem(f"the images hold values from {images.min():g} to {images.max():g}: brightness is 0 to 16")
        probabilities: np.ndarray = self.model(x.to(next(self.model.parameters()).device)).softmax(1).cpu().numpy()
        return probabilities


def read(file: Path) -> np.ndarray:
    """The rows of a .csv or .npy file.

    Raises:
        Problem: the file is missing, of another kind, or does not hold a table of numbers.
    """
    readers = {".csv": lambda path: np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8-sig"), ".npy": np.load}
    if file.suffix.lower() not in readers:
        raise Problem(f"{file} is not one of {', '.join(readers)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file without rows, which the next check names
            rows = np.asarray(readers[file.suffix.lower()](file))
    except OSError as error:
        raise Problem(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, TypeError) as error:
        raise Problem(f"{file} does not hold rows of numbers: {error}") from None
    if not rows.size or rows.dtype.kind not in "biuf":
        raise Problem(
            f"{file} does not hold rows of numbers: {f'its type is {rows.dtype}' if rows.size else 'it is empty'}"
        )
    return rows.astype(np.float64)


def load(run: str | Path | None = None) -> Classifier:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    _, _, model = load_run(run, Config)
    return Classifier(model)
