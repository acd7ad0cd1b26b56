"""The command `predict`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ...config import Sampler, SamplingConfig
from ..core.errors import Problem

WIDE = 64
"""Pixels along the side of an image in the picture, or more where it has more."""


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Sample images with a trained run, a row for each class, into one picture."""

    classes: Positional[tuple[str, ...]] = ()
    """The classes; all where none is named."""
    run: str | None = None
    """The run folder; the latest where none is named."""
    count: int = 8
    """Images in a row."""
    seed: int = 0
    """Seed of a row's first image; the next ones have those after it."""
    to_seed: int | None = None
    """Lead from the image of --seed to that of this one instead."""
    guidance: float | None = None
    """1 samples each class as it is; more makes its images more typical, and more alike. The run's by default."""
    sampler: Sampler | None = None
    """ddim, ddpm, or dpm-solver for few steps; the run's by default."""
    steps: int | None = None
    """Times that the network is asked about each image; the run's by default."""
    out: Path = Path("samples.png")
    """The picture."""

    def __call__(self) -> None:
        from ...predict import grid, load

        model = load(self.run)
        usual = model.sampling
        sampling = SamplingConfig(
            sampler=self.sampler or usual.sampler,
            steps=usual.steps if self.steps is None else self.steps,
            guidance=usual.guidance if self.guidance is None else self.guidance,
        )
        if self.to_seed is None:
            images = model.sample(self.classes, count=self.count, seed=self.seed, sampling=sampling, bar=shown)
        else:
            ends = {"seed": self.seed, "to": self.to_seed}
            images = model.interpolate(self.classes, count=self.count, **ends, sampling=sampling, bar=shown)
        try:
            grid(images, max(1, WIDE // model.facts.size)).save(self.out)
        except (OSError, ValueError) as error:
            raise Problem(f"cannot write {self.out}: {error}") from None
        print(f"{self.out}: {images.shape[0]} x {images.shape[1]} images")


def shown(steps: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The steps of a sampler, with a progress bar where there is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(steps, "sampling", console=console, transient=True, disable=not console.is_terminal)
