"""The task: images through a few numbers and back, measured by the error of a pixel.

`engine/task.py` says what each method is for; the trainer, `check` and `report` use nothing else.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from .config import DataConfig, LossConfig, ModelConfig
from .data import TrainingImages, load
from .engine.core.batch import Batch
from .engine.core.errors import require
from .engine.images.examples import ImageData, Images
from .engine.images.linear import errors
from .engine.images.task import ImageTask
from .engine.task import Context, Fault, Metric, Output
from .model import EXPANSION, Autoencoder, sides

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTIVE = 0.01
"""A latent is in use if its mean varies by more than this variance over the images (Burda et al. 2016, section 5.1)."""
SHOWN = 8
"""Images, and latents, in the report's figure."""
VALUES = 7
"""Of a latent, in the figure, from two standard deviations below its mean to two above."""


class Reconstruction(ImageTask):
    """Each image is its own target."""

    pipeline: ClassVar[str] = "image-feature-extraction"

    source: DataConfig

    def __init__(self, data: DataConfig, config: ModelConfig, loss: LossConfig) -> None:
        self.source, self.config, self.objective = data, config, loss

    @property
    def images(self) -> ImageData:
        return load(self.source, self.division)

    @property
    def values(self) -> int:
        """Of an image: its pixels times its channels."""
        return self.facts.channels * self.facts.size**2

    def model(self) -> nn.Module:
        return Autoencoder(self.config, self.facts)

    def data(self, split: str) -> Images:
        images = self.images.splits[split]
        return TrainingImages(images, self.source) if split == "train" else images

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        """The negative evidence lower bound without its constants, in nats, over the number of pixel values.

        Both parts are sums, over an image's pixels and over its latents (Kingma & Welling 2014, equation 10); dividing
        both by one number keeps the scale of the gradient whatever the size of the images. While training, z is a
        sample; otherwise the mean, so that the loss of an image is a number of its own.
        """
        x = batch["x"]
        noise = None
        if model.training and self.config.variational:
            noise = torch.randn(len(x), self.config.latent, generator=context.noise, device=x.device, dtype=x.dtype)
        coded = model(x, noise)
        nats = squared_errors(coded.x, x) / (2 * self.objective.variance)
        logs = {"squared_error": squared_errors(coded.x, x).sum() / self.values}
        if coded.logvar is not None:
            kl_BK = divergence(coded.mean, coded.logvar)
            nats = nats + self.beta(context.step) * kl_BK.clamp(min=self.objective.free_bits).sum(1)
            logs["kl"] = kl_BK.sum()
        return Output(nats.sum() / self.values, len(x), logs=logs)

    def beta(self, step: int) -> float:
        """The weight of the KL divergence at a step: it rises linearly (Bowman et al. 2016, arXiv:1511.06349)."""
        return self.objective.beta * min(1.0, (step + 1) / max(1, self.objective.kl_warmup_steps))

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """Of each example `error`, of a pixel, and `mean`, (n, latent); then what the figure shows of the first ones.

        If the model is variational, also `likelihood`, in nats, at a sample of q(z | x), and `kl`, (n, latent). The
        figure's are `original` and `reconstructed`, (SHOWN, C, Y, X), and `traversed`, (SHOWN, VALUES, C, Y, X).
        """
        found: dict[str, list[Tensor]] = {}
        first: Tensor | None = None
        for batch in loader:
            x = batch["x"]
            first = x[:SHOWN] if first is None else first
            coded = model(x)
            parts = {"error": squared_errors(coded.x, x) / self.values, "mean": coded.mean}
            if coded.logvar is not None:
                noise = torch.randn(coded.mean.shape, generator=context.noise, device=x.device)
                parts["likelihood"] = self.likelihood(model(x, noise).x, x)
                parts["kl"] = divergence(coded.mean, coded.logvar)
            for name, part in parts.items():
                found.setdefault(name, []).append(part.cpu())
        assert first is not None
        records = {name: torch.cat(parts) for name, parts in found.items()}
        records["original"], records["reconstructed"] = first.cpu(), model(first).x.float().cpu()
        return records | {"traversed": traversed(model, first[:1], records["mean"]).float().cpu()}

    def likelihood(self, mean: Tensor, x: Tensor) -> Tensor:
        """The logarithm of the density of images, N(x; mean, variance), in nats, (B,)."""
        variance = self.objective.variance
        return -(squared_errors(mean, x) / variance + self.values * math.log(2 * math.pi * variance)) / 2

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        """The error of a pixel, reconstructed from the mean; then the parts of the bound, in nats of an image."""
        error = predictions["error"]
        metrics = {"squared_error": Metric(error.double().mean().item(), error)}
        if "kl" not in predictions:
            return metrics
        likelihood, kl = predictions["likelihood"], predictions["kl"].sum(1)
        return metrics | {
            "evidence_lower_bound": Metric((likelihood - kl).mean().item(), likelihood - kl, higher_is_better=True),
            "log_likelihood": Metric(likelihood.mean().item(), likelihood, higher_is_better=True),
            # Neither less nor more of it is better by itself: examples are not compared by it.
            "kl_divergence": Metric(kl.mean().item(), None),
            "active_latents": Metric(float(active(predictions["mean"]).sum()), None, higher_is_better=True),
        }

    def baselines(self, split: str) -> dict[str, float]:
        """What the mean image leaves, and a linear code of as many numbers, fitted to the same training images."""
        return errors(self.images.splits["train"], self.data(split), self.config.latent)

    def faults(self, predictions: dict[str, Tensor]) -> list[Fault]:
        """Posterior collapse: q(z | x) is the prior in most latents, and the decoder does without them."""
        if "kl" not in predictions:
            return []
        latents, kl = predictions["mean"].shape[1], predictions["kl"].sum(1).mean().item()
        used = int(active(predictions["mean"]).sum())
        if 2 * used >= latents:
            return []
        evidence = [
            f"{used} of {latents} latents are active: the variance of their mean is over {ACTIVE}",
            f"the KL divergence is {kl:.3g} nats an image",
        ]
        variance = min(0.01, self.objective.variance / 10)
        remedy = [
            f"--loss.variance {variance:g}, so that an error weighs more than the KL divergence",
            "a lower --loss.beta, or --loss.free-bits 0.1",
            "--loss.kl-warmup-steps longer",
            *([f"--model.latent {used}: the others may not be needed"] if used else []),
        ]
        return [Fault("posterior collapse", evidence, remedy)]

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        """Images above their reconstructions; then one image, with a latent to a row changed from left to right."""
        from matplotlib.figure import Figure

        pairs = torch.stack((predictions["original"][:SHOWN], predictions["reconstructed"][:SHOWN]))
        changed = predictions["traversed"][:SHOWN]
        figure = Figure(figsize=(8, 7), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(2, VALUES))
        left.imshow(tiled(pairs.transpose(0, 1)), cmap="gray", vmin=0, vmax=1)
        left.set_title("Images,\nreconstructed")
        right.imshow(tiled(changed), cmap="gray", vmin=0, vmax=1)
        right.set_title("The first, a latent changed in each row")
        for axes in (left, right):
            axes.set_axis_off()
        return figure

    @torch.no_grad()
    def samples(self, model: nn.Module, context: Context) -> str:
        """The ten validation images with the largest error."""
        images, names = self.data("validation"), self.facts.classes
        device = next(model.parameters()).device
        parts = []
        for indices in images.chunks():
            x = images.batch(indices, None)["x"].to(device)
            parts.append(squared_errors(model(x).x, x).cpu() / self.values)
        error = torch.cat(parts)
        lines = [
            f"validation image {i}{f', {names[images.y[i]]}' if names else ''}: squared error {error[i]:.4f}"
            for i in error.argsort(descending=True)[:10].tolist()
        ]
        return "\n".join(lines)

    def render_example(self, index: int) -> np.ndarray:
        """The image: brightness, or colours."""
        image = self.data("validation").batch(np.array([index]), None)["x"][0].numpy()
        return image[0] if len(image) == 1 else image.transpose(1, 2, 0)

    @torch.no_grad()
    def checks(self, model: nn.Module, batch: Batch) -> dict[str, str]:
        coded = model(batch["x"])
        require(coded.x.shape == batch["x"].shape, f"the reconstructions have the shape {tuple(coded.x.shape)}")
        if coded.logvar is None:
            return {"shape of the reconstruction": str(tuple(coded.x.shape))}
        kl = divergence(coded.mean, coded.logvar)
        require(bool((kl >= -1e-6).all()), f"a KL divergence is {kl.min().item()}, below 0")
        return {"KL divergence": f"{kl.sum(1).mean():.4f} nats an image, none below 0"}

    def flops(self) -> float:
        """Of a forward pass, per image: two for each weight, at each of the positions P that it meets.

            stem                2 x kernel² I C P, of I channels
            depthwise           2 x kernel² C P              in each block, of the encoder and of the decoder
            expand, project     2 x 2 x 4 C² P               in each block
            halving, doubling   2 x 4 C C' P'                between two stages, P' the smaller number of positions
            to the latents      2 x C P K, twice if variational
            from the latents    2 x C P K
            to pixels           2 x 9 C patch² I P

        Norms and activations are left out.
        """
        c, images = self.config, self.facts
        patch, positions = sides(c, images.size)
        kernel = 3 if patch == 1 else patch
        ends = (kernel**2 + 9 * patch**2) * images.channels * c.widths[0] * positions[0] ** 2
        latents = (3 if c.variational else 2) * c.latent * c.widths[-1] * positions[-1] ** 2
        total = 2 * (ends + latents)
        for stage, (width, depth, side) in enumerate(zip(c.widths, c.depths, positions, strict=True)):
            if stage:
                total += 2 * 2 * 4 * c.widths[stage - 1] * width * side**2
            total += 2 * 2 * depth * width * (c.kernel**2 + 2 * EXPANSION * width) * side**2
        return float(total)


def squared_errors(x: Tensor, target: Tensor) -> Tensor:
    """Summed over the pixels of each image, (B,), in float32 at least."""
    return (x.to(torch.promote_types(x.dtype, torch.float32)) - target).square().flatten(1).sum(1)


def divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(q(z | x) || N(0, I)) of each latent, (B, K), in nats (Kingma & Welling 2014, appendix B)."""
    return (mean.square() + logvar.exp() - 1 - logvar) / 2


def active(mean: Tensor) -> Tensor:
    """Which latents are in use, (K,): their means, (n, K), vary with the image."""
    return mean.var(0, correction=0) > ACTIVE


def traversed(model: nn.Module, image: Tensor, mean: Tensor) -> Tensor:
    """An image, (1, C, Y, X), decoded with one of its latents set to other values: (SHOWN, VALUES, C, Y, X).

    The latents are those whose means, (n, K), vary most; the values span two standard deviations of them.
    """
    coded = model(image)
    mean = mean.to(coded.mean)
    spread = mean.std(0, correction=0)
    latents = spread.argsort(descending=True, stable=True)[:SHOWN]
    values = mean.mean(0)[:, None] + spread[:, None] * torch.linspace(-2, 2, VALUES).to(mean)
    std = torch.ones_like(coded.mean) if coded.logvar is None else torch.exp(coded.logvar / 2)
    # As deviations from the image's own mean: the model is called as training calls it, whoever has its weights.
    deviations = (values - coded.mean[0, :, None]) / std[0, :, None]
    noise = mean.new_zeros(len(latents), VALUES, mean.shape[1])
    noise[torch.arange(len(latents)), :, latents] = deviations[latents]
    flat = noise.flatten(0, 1)
    return model(image.expand(len(flat), -1, -1, -1), flat).x.unflatten(0, (len(latents), VALUES))


def tiled(images: Tensor) -> np.ndarray:
    """Images in rows, (R, N, C, Y, X), as one, with lines between them: (Y, X) or (Y, X, 3)."""
    framed = torch.nn.functional.pad(images.clamp(0, 1), (0, 1, 0, 1), value=0.5)
    rows, columns, channels, height, width = framed.shape
    whole = framed.permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width, channels).numpy()
    return whole[..., 0] if channels == 1 else whole
