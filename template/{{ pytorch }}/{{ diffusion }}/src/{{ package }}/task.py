"""The task: images like those that were trained on, measured by what a classifier, and a copier, would give away.

`engine/task.py` says what each method is for; the trainer, `check` and `report` use nothing else.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .config import DataConfig, DiffusionConfig, ModelConfig, SamplingConfig
from .data import NoisyImages, load
from .engine.core.batch import Batch
from .engine.images import gaussians, realism
from .engine.images.examples import ImageData
from .engine.images.task import ImageTask
from .engine.task import Context, Final, Metric, Output
from .engine.training.seeding import derive_seed, generator
from .model import Process, build_network, build_process, flops
from .model.likelihood import bits_per_dimension
from .model.sampling import guided, sample, start

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIMES = 8
"""Times at which a held-out image is denoised."""
TOGETHER = 128
"""Images that are sampled together."""
MOST = 2000
"""Training images that baselines and distances look at, and half as many images are sampled."""
WIDEST = 3 * 64**2
"""Pixels of an image, with its channels, that a Gaussian is fitted to."""
ROWS, COLUMNS = 20, 12
"""Of the picture of samples."""
BINS = 20
"""Points of the picture of the error."""
CPU = torch.device("cpu")


class Generation(ImageTask):
    """Images of each class, or of no class where they have none."""

    pipeline: ClassVar[str] = "unconditional-image-generation"

    source: DataConfig

    def __init__(
        self, data: DataConfig, config: ModelConfig, diffusion: DiffusionConfig, sampling: SamplingConfig
    ) -> None:
        self.source, self.config, self.diffusion, self.sampling = data, config, diffusion, sampling

    @property
    def images(self) -> ImageData:
        return load(self.source, self.division)

    @cached_property
    def process(self) -> Process:
        return build_process(self.diffusion)

    @property
    def nothing(self) -> int:
        """The class that stands for none, and of all images where they have no classes."""
        return len(self.facts.classes)

    def model(self) -> nn.Module:
        return build_network(self.config, self.facts)

    def data(self, split: str) -> NoisyImages:
        return NoisyImages(self.images.splits[split], self.source, self.diffusion, self.nothing)

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        """The weighted squared error of what the network says, a mean over the pixels (Ho et al. 2020, equation 14)."""
        x0, noise, t = 2 * batch["x"] - 1, batch["noise"], batch["t"]
        said = model(self.process.noisy(x0, noise, t), t, batch["y"])
        said = said.to(torch.promote_types(said.dtype, torch.float32))
        error = ((said - self.process.goal(x0, noise, t)) ** 2).mean((1, 2, 3))
        return Output((self.process.weight(t) * error).sum(), len(error))

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`t` and `error`, (n, TIMES): what is left of the noise of each image at times that are spread evenly."""
        parts = []
        for batch in loader:
            x0, times = 2 * batch["x"] - 1, spread_times(batch["t"], self.diffusion.steps)
            errors = []
            for t in times:
                x = self.process.noisy(x0, batch["noise"], t)
                found = self.process.image(model(x, t, batch["y"]).float(), x, t)
                errors.append(self.error(found, x0, t))
            parts.append((torch.stack(times, 1).cpu(), torch.stack(errors, 1).cpu()))
        t, error = (torch.cat(columns) for columns in zip(*parts, strict=True))
        return {"t": t, "error": error}

    def error(self, found: Float[Tensor, "B C Y X"], x0: Float[Tensor, "B C Y X"], t: Tensor) -> Float[Tensor, " B"]:
        """The squared error of v, a mean over the pixels, for an estimate of x_0 that is cut off where pixels end.

        As v is alpha ε - sigma x_0, it is the error of x_0 divided by sigma², and the same for all three targets.
        """
        return ((found.clamp(-1, 1) - x0) ** 2).mean((1, 2, 3)) / self.process.sigma(t, x0).view(-1) ** 2

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        """The error of v where the noise is chosen by the image, so that two models are measured on the same."""
        error = predictions["error"].double().mean(1)
        return {"denoising_error": Metric(error.mean().item(), error)}

    def baselines(self, split: str) -> dict[str, float]:
        """The same error of what the best denoiser would say if images were distributed as simply as that.

        One Gaussian; a Gaussian for each class; or nothing but the training images, which is what copying them reaches.
        """
        images, train = self.data(split), self.data("train")
        if train.pixels[0].size > WIDEST:
            return {}
        x, y = realism.chosen(train, MOST)
        x, labels = (2 * x - 1).flatten(1), torch.from_numpy(y)
        one, several = gaussians.fitted(x), gaussians.by_class(x, labels)
        sums = dict.fromkeys(("a Gaussian", "a Gaussian for each class", "the training images"), 0.0)
        for indices in images.chunks():
            batch = images.batch(indices, None)
            x0 = 2 * batch["x"] - 1
            for t in spread_times(batch["t"], self.diffusion.steps):
                noisy = self.process.noisy(x0, batch["noise"], t).flatten(1)
                alpha, sigma = (level(t, x0).view(-1, 1) for level in (self.process.alpha, self.process.sigma))
                by_class = torch.empty_like(noisy)
                for label in batch["y"].unique().tolist():
                    of = batch["y"] == label
                    by_class[of] = several.get(label, one).denoised(noisy[of], alpha[of], sigma[of])
                apart = torch.cdist(noisy / alpha, x) ** 2 * (alpha / sigma) ** 2
                copied = (-apart / 2).softmax(1) @ x
                guesses = (one.denoised(noisy, alpha, sigma), by_class, copied)
                for name, guess in zip(sums, guesses, strict=True):
                    sums[name] += self.error(guess.view_as(x0), x0, t).sum().item()
        return {name: value / (len(images) * TIMES) for name, value in sums.items()}

    def final(self, model: nn.Module, split: str, context: Context) -> Final:
        """Samples of the classes of the split, beside its images."""
        images, train = self.data(split), self.data("train")
        real, y = realism.chosen(images, MOST // 2)
        old, old_y = realism.chosen(train, MOST)
        levels = images.brightest
        seed = context.noise.initial_seed()
        drawn = realism.quantised(self.sampled(model, torch.from_numpy(y), seed), levels)
        beside = realism.Real(realism.seen(real), y, realism.seen(old), old_y)
        metrics = beside.measure(realism.seen(drawn), y)
        copied = np.random.default_rng(seed).permutation(len(old))[: len(real)]
        simple = {"copies of training images": beside.measure(realism.seen(old[copied]), old_y[copied])}
        if old[0].numel() <= WIDEST:
            noise = generator(CPU, derive_seed(seed, "gaussians"))
            fitted = gaussians.by_class(old.flatten(1), torch.from_numpy(old_y))
            of_class = torch.cat([fitted[label].sample(1, noise) for label in y.tolist()]).view_as(real)
            shown = realism.seen(realism.quantised(of_class, levels))
            simple["a Gaussian for each class"] = beside.measure(shown, y)
        reached = {name: {kind: found[name].value for kind, found in simple.items()} for name in metrics}
        metrics["bits_per_dimension"] = self.bits(model, real, y, levels, seed)
        coded = realism.bits_of_histograms(real.flatten(1).numpy(), y, old.flatten(1).numpy(), old_y, levels)
        reached["bits_per_dimension"] = {"a histogram for each pixel and class": coded}
        return Final(metrics, reached, self.grid(drawn, y))

    def sampled(self, model: nn.Module, y: Tensor, seed: int) -> Float[Tensor, "N C Y X"]:
        """Images of these classes, pixels from 0 to 1, on the CPU."""
        device = next(model.parameters()).device
        shape = (self.facts.channels, self.facts.size, self.facts.size)
        found, c = [], self.sampling
        for first in range(0, len(y), TOGETHER):
            some = y[first : first + TOGETHER].to(device)
            noise = [generator(CPU, derive_seed(seed, first + i)) for i in range(len(some))]
            says = guided(model, some, self.nothing, c.guidance if self.facts.classes else 1.0)
            found.append(sample(self.process, says, start(shape, noise, device), c.sampler, c.steps, noise).cpu())
        return (torch.cat(found) + 1) / 2

    def bits(self, model: nn.Module, real: Tensor, y: np.ndarray, levels: int, seed: int) -> Metric:
        """The bound on the likelihood of held-out images."""
        device, noise, found = next(model.parameters()).device, generator(CPU, derive_seed(seed, "bits")), []
        for x, labels in zip(real.split(TOGETHER), torch.from_numpy(y).split(TOGETHER), strict=True):
            says = guided(model, labels.to(device), self.nothing, 1.0)
            found.append(bits_per_dimension(self.process, says, 2 * x.to(device) - 1, levels, noise).cpu())
        bits = torch.cat(found).double()
        return Metric(bits.mean().item(), bits)

    def grid(self, drawn: Float[Tensor, "N C Y X"], y: np.ndarray) -> "Figure":
        """Samples: a row for each class."""
        from matplotlib.figure import Figure

        names = self.facts.classes or ("",)
        shown = [(name, drawn[y == label][:COLUMNS]) for label, name in enumerate(names) if (y == label).any()][:ROWS]
        figure = Figure(figsize=(0.6 * COLUMNS + 1, 0.6 * len(shown)))
        cells = figure.subplots(len(shown), COLUMNS, squeeze=False, gridspec_kw={"wspace": 0.05, "hspace": 0.05})
        figure.subplots_adjust(left=0.12, right=0.99, bottom=0.01, top=0.99)
        for row, (name, images) in zip(cells, shown, strict=True):
            row[0].text(-0.1, 0.5, name, transform=row[0].transAxes, ha="right", va="center", fontsize=8)
            for cell in row:
                cell.set_axis_off()
            for cell, image in zip(row, images, strict=False):
                cell.imshow(image.permute(1, 2, 0).numpy().squeeze(), cmap="gray", vmin=0, vmax=1)
        return figure

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        """The error of v against the time: 0 is an image, and the last time is noise."""
        from matplotlib.figure import Figure

        t, error = predictions["t"].flatten().numpy(), predictions["error"].flatten().numpy()
        edges = np.linspace(0, self.diffusion.steps, BINS + 1)
        place = np.digitize(t, edges[1:-1], right=True)
        means = [error[place == number].mean() if (place == number).any() else np.nan for number in range(BINS)]
        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.subplots()
        axes.plot((edges[1:] + edges[:-1]) / 2, means, marker="o")
        axes.set(xlabel="time t", ylabel="squared error of v, per pixel", ylim=(0, None))
        return figure

    def render_example(self, index: int) -> np.ndarray:
        """The image: brightness, or colours."""
        image = self.data("validation").batch(np.array([index]), None)["x"][0].numpy()
        return image[0] if len(image) == 1 else image.transpose(1, 2, 0)

    def flops(self) -> float:
        return flops(self.config, self.facts)


def spread_times(t: Tensor, steps: int) -> list[Tensor]:
    """`TIMES` times, 1 to T, that begin with t and lie evenly on a circle."""
    return [(t - 1 + steps * number // TIMES) % steps + 1 for number in range(TIMES)]
