"""The batches of a training, by number, and those of an evaluation, in order."""

import signal
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..core.batch import Batch, Examples
from .seeding import derive_seed


class TrainingBatches(Dataset[Batch]):
    """Micro-batches by number: number n is micro-batch n % M of step n // M, with M micro-batches in a step.

    Each epoch is a fresh permutation of the examples, and a step may take the end of one and the start of the next.
    """

    def __init__(self, examples: Examples, seed: int, batch: int, micro_batch: int) -> None:
        self.examples, self.seed = examples, seed
        self.batch, self.micro_batch = batch, micro_batch
        self.order = lru_cache(maxsize=2)(self._order)

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng(derive_seed(self.seed, "order", epoch)).permutation(len(self.examples))

    def indices(self, number: int) -> np.ndarray:
        """Which examples micro-batch `number` holds."""
        positions = np.arange(number * self.micro_batch, (number + 1) * self.micro_batch)
        epochs, places = np.divmod(positions, len(self.examples))
        return np.concatenate(
            [self.order(epoch)[places[epochs == epoch]] for epoch in range(epochs[0], epochs[-1] + 1)]
        )

    def __getitem__(self, number: int) -> Batch:
        noise = np.random.default_rng(derive_seed(self.seed, "augmentation", number))
        return self.examples.batch(self.indices(number), noise)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "order"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self.order = lru_cache(maxsize=2)(self._order)

    def loader(self, steps: range, rank: int, world: int, workers: int, pin: bool) -> Iterator[Batch]:
        """The micro-batches of `steps` that belong to this process, in order."""
        micro_batches = self.batch // self.micro_batch
        numbers = range(steps.start * micro_batches + rank, steps.stop * micro_batches, world)
        return iter(
            DataLoader(
                self,
                batch_size=None,
                sampler=numbers,
                num_workers=workers,
                pin_memory=pin,
                worker_init_fn=_start_worker,
            )
        )


def _start_worker(worker: int) -> None:
    torch.set_num_threads(1)
    # A terminal and a scheduler signal the whole process group; the trainer decides when its workers end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


class EvaluationBatches:
    """The examples of a split in order, on a device, in batches of `size`; at most `limit` of them.

    `share` is (rank, size): of several processes, each has batches that follow each other.
    """

    def __init__(
        self,
        examples: Examples,
        size: int,
        device: torch.device,
        limit: int | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.examples, self.size, self.device = examples, size, device
        self.stop = len(examples) if limit is None else min(len(examples), limit * size)
        rank, of = share
        count = -(-self.stop // size)
        self.numbers = range(count * rank // of, count * (rank + 1) // of)
        self.one_less = len(self.numbers) < -(-count // of)
        """Whether others have a batch more."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Batch]:
        for number in self.numbers:
            yield self.batch(number)

    def batch(self, number: int) -> Batch:
        """One of all batches, whoever's it is."""
        indices = np.arange(number * self.size, min((number + 1) * self.size, self.stop))
        return {name: value.to(self.device) for name, value in self.examples.batch(indices, None).items()}

    def with_noise(self, noise: torch.Generator, seed: int) -> Iterator[Batch]:
        """The batches, with a generator that is seeded for each, so that what is drawn does not depend on the share."""
        for number, batch in zip(self.numbers, self, strict=True):
            noise.manual_seed(derive_seed(seed, number))
            yield batch
