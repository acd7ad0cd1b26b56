"""The task: tell classes of images apart, measured by accuracy.

`engine/task.py` says what each method is for; the trainer, `check` and `report` use nothing else.
"""

import math
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import BackboneConfig, DataConfig, LossConfig, ModelConfig
from .data import TrainingImages, class_weights, load
from .engine.core.batch import Batch
from .engine.core.errors import Problem
from .engine.images.activation import figure
from .engine.images.backbone import Backbone, published
from .engine.images.classical import accuracies
from .engine.images.examples import ImageData, Images
from .engine.images.task import ImageTask
from .engine.task import Context, Final, Metric, Output
from .model import EXPANSION, ConvNet, sides

if TYPE_CHECKING:
    from matplotlib.figure import Figure


OWN = BackboneConfig()
"""No network of timm."""
MANY = 30
"""With more classes than this, nobody looks at a matrix or at a figure of each; the report has a table of them."""


class Classification(ImageTask):
    """One label for each image."""

    pipeline: ClassVar[str] = "image-classification"

    source: DataConfig

    def __init__(self, data: DataConfig, config: ModelConfig, loss: LossConfig, backbone: BackboneConfig = OWN) -> None:
        self.source, self.config, self.objective, self.backbone = data, config, loss, backbone

    @property
    def images(self) -> ImageData:
        return load(self.source, self.division)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.facts.classes

    def model(self) -> nn.Module:
        if len(self.facts.classes) < 2:
            raise Problem(f"{self.source.path} has {len(self.facts.classes)} classes: give two or more a folder each")
        if self.backbone.name:
            return Backbone(self.backbone.name, self.backbone.frozen, self.facts)
        return ConvNet(self.config, self.facts)

    def initial_weights(self) -> Path | None:
        return published(self.backbone.name, self.backbone.weights, self.facts) if self.backbone.name else None

    def data(self, split: str) -> Images:
        images = self.images.splits[split]
        return TrainingImages(images, self.source) if split == "train" else images

    @cached_property
    def class_weights(self) -> Tensor:
        """(K,)."""
        return torch.from_numpy(class_weights(self.images.splits["train"].y, len(self.facts.classes))).float()

    def counted(self, y: Tensor) -> Tensor:
        """How much each example counts, (B,)."""
        if not self.objective.class_weights:
            return torch.ones(len(y), device=y.device)
        return self.class_weights.to(y.device)[y]

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        if model.training and self.objective.mixup:
            return self.mixed_loss(model, batch, context)
        weights, nats = self.weighted(model(batch["x"]), batch["y"], model.training)
        return Output((weights * nats).sum(), weights.sum())

    def weighted(self, logits: Tensor, y: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """How much each example counts, and its cross-entropy; (B,) each."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        smoothing = self.objective.smoothing if training else 0.0
        return self.counted(y), functional.cross_entropy(logits, y, reduction="none", label_smoothing=smoothing)

    def mixed_loss(self, model: nn.Module, batch: Batch, context: Context) -> Output:
        """Mixup (Zhang et al. 2018, arXiv:1710.09412, equation 1): λ of an image and its label, 1 - λ of another's."""
        x, y = batch["x"], batch["y"]
        share, other = mixing(len(x), self.objective.mixup, context.noise)
        lam, other = share.to(x), other.to(x.device)
        mixed = lam.view(-1, 1, 1, 1) * x + (1 - lam).view(-1, 1, 1, 1) * x[other]
        logits = model(mixed)
        (weights, nats), (others, theirs) = (self.weighted(logits, labels, True) for labels in (y, y[other]))
        first, second = lam * weights, (1 - lam) * others
        return Output((first * nats + second * theirs).sum(), (first + second).sum())

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`logits`, (n, classes), and `y`, (n,)."""
        parts = [(model(batch["x"]).float().cpu(), batch["y"].cpu()) for batch in loader]
        logits, y = zip(*parts, strict=True)
        return {"logits": torch.cat(logits), "y": torch.cat(y)}

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        """Over all images; then, of few classes, the recall of each: the share of its images that were recognised.

        A recall has no interval of its own: of some 36 images often all are right, and a bootstrap of those says that
        they always will be.
        """
        guess, y = predictions["logits"].argmax(1), predictions["y"]
        right = (guess == y).double()
        nats = functional.cross_entropy(predictions["logits"].double(), y, reduction="none")
        metrics = {
            "accuracy": Metric(right.mean().item(), right, higher_is_better=True, share=True),
            "cross_entropy": Metric(nats.mean().item(), nats),
            "macro_f1": Metric(macro_f1(guess, y), None, higher_is_better=True, share=True),
        }
        for label in y.unique().tolist() if len(self.facts.classes) <= MANY else ():
            recall = right[y == label].mean().item()
            metrics[f"recall_of_{self.facts.classes[label]}"] = Metric(recall, None, higher_is_better=True, share=True)
        return metrics

    def baselines(self, split: str) -> dict[str, float]:
        """Accuracies of classical methods that were fitted to the same training images."""
        return accuracies(self.images.splits["train"], self.data(split))

    def figure(self, predictions: dict[str, Tensor]) -> "Figure | None":
        """The confusion matrix."""
        from matplotlib.figure import Figure

        names = self.facts.classes
        classes = len(names)
        if classes > MANY:
            return None
        pairs = predictions["y"] * classes + predictions["logits"].argmax(1)
        counts = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
        side = max(5.0, 0.3 * classes)
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(counts.sqrt().numpy(), cmap="Blues")
        for truth, guess in counts.nonzero().tolist():
            shade = "white" if counts[truth, guess] > counts.max() / 3 else "black"
            axes.text(guess, truth, str(counts[truth, guess].item()), ha="center", va="center", color=shade)
        axes.set(xlabel="said", ylabel="is", title="Confusion matrix")
        axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(classes), names)
        return figure

    @torch.no_grad()
    def hardest(self, model: nn.Module, split: str) -> tuple[list[int], Tensor]:
        """The ten images of a split that the model finds hardest, and the probabilities of each class, (10, K)."""
        images = self.data(split)
        device = next(model.parameters()).device
        batches = (images.batch(indices, None)["x"].to(device) for indices in images.chunks())
        p = torch.cat([model(x).softmax(1).cpu() for x in batches])
        found = p[torch.arange(len(p)), torch.from_numpy(images.y)].argsort()[:10]
        return found.tolist(), p[found]

    def samples(self, model: nn.Module, context: Context) -> str:
        """The ten validation images that the model finds hardest."""
        names, y = self.facts.classes, self.data("validation").y
        lines = [
            f"validation image {i}: {names[y[i]]}, taken for {names[int(p.argmax())]} (probability {p.max():.3f})"
            for i, p in zip(*self.hardest(model, "validation"), strict=True)
        ]
        return "\n".join(lines)

    def final(self, model: nn.Module, split: str, context: Context) -> Final:
        """The images that the model finds hardest, and below each what speaks for the class that it says."""
        names, images = self.facts.classes, self.data(split)
        hardest, p = self.hardest(model, split)
        batch = images.batch(np.array(hardest), None)
        x, said = (tensor.to(next(model.parameters()).device) for tensor in (batch["x"], p.argmax(1)))
        titles = [f"{names[truth]}, said {names[guess]}" for truth, guess in zip(batch["y"], said, strict=True)]
        return Final({}, figure=figure(model, x, said, titles))

    def render_example(self, index: int) -> np.ndarray:
        """The image: brightness, or colours."""
        image = self.data("validation").batch(np.array([index]), None)["x"][0].numpy()
        return image[0] if len(image) == 1 else image.transpose(1, 2, 0)

    def expected_loss(self) -> float:
        """Of a uniform guess: ln K, with smoothed labels too."""
        return math.log(len(self.facts.classes))

    def flops(self) -> float | None:
        """Of a forward pass, per image: two for each weight, at each of the pixels P that it meets.

            stem                2 x kernel² I C P, of I channels
            depthwise           2 x kernel² C P              in each block
            expand, project     2 x 2 x 4 C² P               in each block
            halving             2 x 4 C C' P'                between two stages
            output              2 x C K

        Norms and activations are left out. A backbone's are left to PyTorch to count.
        """
        if self.backbone.name:
            return None
        c, images = self.config, self.facts
        patch, positions = sides(c, images.size)
        kernel = 3 if patch == 1 else patch
        total = 2 * kernel**2 * images.channels * c.widths[0] * positions[0] ** 2
        for stage, (width, depth, side) in enumerate(zip(c.widths, c.depths, positions, strict=True)):
            if stage:
                total += 2 * 4 * c.widths[stage - 1] * width * side**2
            total += 2 * depth * width * (c.kernel**2 + 2 * EXPANSION * width) * side**2
        return float(total + 2 * c.widths[-1] * len(images.classes))


def mixing(count: int, alpha: float, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """For each of `count` images its share, from Beta(alpha, alpha), and the image it is mixed with; (count,) each."""
    seed = int(torch.randint(2**62, (1,), generator=noise, device=noise.device))
    draws = np.random.default_rng(seed)
    return torch.from_numpy(draws.beta(alpha, alpha, count)), torch.from_numpy(draws.permutation(count))


def macro_f1(guess: Tensor, y: Tensor) -> float:
    """The mean over the classes, said or true, of 2 hits / (said + true): rare ones count as much as frequent ones."""
    classes = torch.cat((guess, y)).unique()
    said, true = (guess[:, None] == classes).double(), (y[:, None] == classes).double()
    return float((2 * (said * true).sum(0) / (said.sum(0) + true.sum(0))).mean())
