"""Sample images with a trained run: `load().sample(["3"], count=8)`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from .config import SamplingConfig
from .engine.core.errors import Problem
from .engine.images.examples import Facts, load_facts
from .engine.training.seeding import derive_seed, generator
from .engine.training.trained import load_run
from .model import Process, build_process
from .model.sampling import Bar, between, guided, sample, start
from .presets import Config

TOGETHER = 64
"""Images that are sampled together."""
CPU = torch.device("cpu")


class Generator:
    """A trained model, the process that it was trained with, and the facts about its images."""

    def __init__(self, model: nn.Module, process: Process, sampling: SamplingConfig, facts: Facts) -> None:
        self.model, self.process, self.sampling, self.facts = model, process, sampling, facts

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that can be asked for; none where the images had none."""
        return self.facts.classes

    def sample(
        self,
        classes: Sequence[str] = (),
        *,
        count: int = 8,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        bar: Bar = iter,
    ) -> np.ndarray:
        """`count` images of each class, (classes, count, channels, size, size), float32 from 0 to 1.

        Without `classes`, all that the run knows. Image i of a row has the seed `seed` + i, in each class and whatever
        is sampled with it. Unless `sampling` is given, it is as the run was configured.

        Raises:
            Problem: a class is unknown, a number is out of range, or guidance is asked of images without classes.
        """
        if count < 1:
            raise Problem(f"{count} images of a class cannot be sampled: at least 1")
        seeds = range(seed, seed + count)
        noise = torch.stack([self.start(one) for one in seeds])
        return self._rows(classes, noise, seeds, sampling or self.sampling, bar)

    def interpolate(
        self,
        classes: Sequence[str] = (),
        *,
        count: int = 8,
        seed: int = 0,
        to: int = 1,
        sampling: SamplingConfig | None = None,
        bar: Bar = iter,
    ) -> np.ndarray:
        """A row for each class that leads from the image of one seed to that of another, as `sample` gives it.

        The noises on the way lie on a great circle (Song et al. 2021, section 5.3).

        Raises:
            Problem: the seeds are one, the sampler adds noise of its own, or as `sample` says.
        """
        if count < 2 or seed == to:
            raise Problem("an interpolation needs two seeds, and at least two images")
        if (sampling or self.sampling).sampler == "ddpm":
            raise Problem("ddpm adds noise at each step, which does not lead from one image to another: take ddim")
        ends = self.start(seed), self.start(to)
        noise = torch.stack([between(*ends, number / (count - 1)) for number in range(count)])
        return self._rows(classes, noise, [seed] * count, sampling or self.sampling, bar)

    def start(self, seed: int) -> Tensor:
        """The noise that an image begins with."""
        shape = (self.facts.channels, self.facts.size, self.facts.size)
        return start(shape, [generator(CPU, seed)], CPU)[0]

    def _rows(
        self,
        classes: Sequence[str],
        noise: Tensor,
        seeds: Sequence[int],
        config: SamplingConfig,
        bar: Bar,
    ) -> np.ndarray:
        """`noise`, (count, channels, size, size), to images of each class."""
        wanted = self._labels(classes)
        if config.guidance != 1 and not self.classes:
            raise Problem(f"the images had no classes, so there is nothing to guide by: guidance {config.guidance}")
        device = next(self.model.parameters()).device
        x, y = noise.repeat(len(wanted), 1, 1, 1), torch.tensor(wanted).repeat_interleave(len(noise))
        generators = [generator(CPU, derive_seed(seed, "steps")) for _ in wanted for seed in seeds]
        found = []
        for first in range(0, len(x), TOGETHER):
            some = slice(first, first + TOGETHER)
            says = guided(self.model, y[some].to(device), len(self.classes), config.guidance)
            begun = x[some].to(device)
            found.append(sample(self.process, says, begun, config.sampler, config.steps, generators[some], bar=bar))
        images = ((torch.cat(found).cpu() + 1) / 2).clamp(0, 1)
        return images.unflatten(0, (len(wanted), len(noise))).numpy()

    def _labels(self, classes: Sequence[str]) -> list[int]:
        unknown = [name for name in classes if name not in self.classes]
        if unknown:
            known = ", ".join(self.classes) or "none, for its images had none"
            raise Problem(f"the run does not know the class {unknown[0]}: it knows {known}")
        return [self.classes.index(name) for name in classes or self.classes] or [0]


def grid(images: np.ndarray, scale: int) -> Image.Image:
    """One picture of (rows, columns, channels, size, size), each pixel `scale` wide, with a pixel between images."""
    rows, columns, _, size, _ = images.shape
    sheet = np.zeros((rows * (size + 1) - 1, columns * (size + 1) - 1, images.shape[2]), np.uint8)
    for row, column in np.ndindex(rows, columns):
        top, left = row * (size + 1), column * (size + 1)
        pixels = (images[row, column] * 255).round().astype(np.uint8)
        sheet[top : top + size, left : left + size] = pixels.transpose(1, 2, 0)
    picture = Image.fromarray(sheet.squeeze(2) if sheet.shape[2] == 1 else sheet)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def load(run: str | Path | None = None) -> Generator:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder, config, model = load_run(run, Config)
    return Generator(model, build_process(config.diffusion), config.sampling, load_facts(folder))
