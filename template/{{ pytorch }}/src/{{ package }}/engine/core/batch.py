"""Batches, and where they come from."""

from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

Batch = dict[str, Tensor]


@runtime_checkable
class Examples(Protocol):
    """One split of the data."""

    def __len__(self) -> int: ...

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """The examples at `indices`, stacked.

        Training gives `noise`: augmentation draws from it and nothing else. Evaluation, and what compares the splits,
        give None, and get the examples as they are.
        """
        ...
