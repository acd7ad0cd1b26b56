"""The task: tell ten digits apart, measured by accuracy.

`engine/task.py` says what each method is for; the trainer, `check` and `report` use nothing else.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import DataConfig, LossConfig, ModelConfig
from .data import SIDE, Images, TrainingImages, class_weights, load
from .engine.core.batch import Batch
from .engine.core.errors import Problem
from .engine.splits.leakage import Leakage
from .engine.task import Context, Metric, Output, Task
from .model import EXPANSION, ConvNet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Classification(Task):
    """One label for each image."""

    pipeline: ClassVar[str] = "image-classification"

    def __init__(self, data: DataConfig, config: ModelConfig, loss: LossConfig) -> None:
        self.source, self.config, self.objective = data, config, loss
        self.class_weights: Tensor | None = None
        if loss.class_weights:
            y = self.training_images.y
            self.class_weights = torch.from_numpy(class_weights(y, config.classes)).float()

    @property
    def training_images(self) -> Images:
        """As they are, without what training does to them."""
        return load(self.source.split, self.source.classes, self.division).splits["train"]

    def model(self) -> nn.Module:
        return ConvNet(self.config)

    def check_start(self, earlier: Any) -> None:
        before, now = earlier.data.split, self.source.split
        if before != now:
            raise Problem(
                f"that run was split by {before}: it has seen images that --data.split {now} holds out. "
                f"Fine-tune it with --data.split {before}"
            )

    def data(self, split: str) -> Images:
        images = load(self.source.split, self.source.classes, self.division).splits[split]
        return TrainingImages(images, self.source) if split == "train" else images

    def data_hash(self) -> str:
        return load(self.source.split, self.source.classes, self.division).sha256

    def leakage(self) -> Leakage:
        return load(self.source.split, self.source.classes, self.division).leakage

    def counted(self, y: Tensor) -> Tensor:
        """How much each example counts, (B,)."""
        if self.class_weights is None:
            return torch.ones(len(y), device=y.device)
        return self.class_weights.to(y.device)[y]

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        logits = model(batch["x"])
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        smoothing = self.objective.smoothing if model.training else 0.0
        nats = functional.cross_entropy(logits, batch["y"], reduction="none", label_smoothing=smoothing)
        weights = self.counted(batch["y"])
        return Output((weights * nats).sum(), weights.sum())

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`logits`, (n, classes), and `y`, (n,)."""
        parts = [(model(batch["x"]).float().cpu(), batch["y"].cpu()) for batch in loader]
        logits, y = zip(*parts, strict=True)
        return {"logits": torch.cat(logits), "y": torch.cat(y)}

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        """Over all images; then the recall of each class that occurs: the share of its images that were recognised.

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
        for digit in y.unique().tolist():
            recall = right[y == digit].mean().item()
            metrics[f"recall_of_{digit}"] = Metric(recall, None, higher_is_better=True, share=True)
        return metrics

    def baselines(self, split: str) -> dict[str, float]:
        """Accuracies of classical methods that were fitted to the same training images."""
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import SVC

        methods = {
            "most frequent digit": DummyClassifier(),
            "logistic regression": LogisticRegression(max_iter=1000),
            "SVC with an RBF kernel": SVC(),
        }
        train, held_out = self.training_images, self.data(split)
        x, new = train.x.reshape(len(train), -1), held_out.x.reshape(len(held_out), -1)
        return {name: method.fit(x, train.y).score(new, held_out.y) for name, method in methods.items()}

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        """The confusion matrix."""
        from matplotlib.figure import Figure

        classes = self.config.classes
        pairs = predictions["y"] * classes + predictions["logits"].argmax(1)
        counts = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
        figure = Figure(figsize=(5, 5), layout="constrained")
        axes = figure.subplots()
        axes.imshow(counts.sqrt().numpy(), cmap="Blues")
        for truth, guess in counts.nonzero().tolist():
            shade = "white" if counts[truth, guess] > counts.max() / 3 else "black"
            axes.text(guess, truth, str(counts[truth, guess].item()), ha="center", va="center", color=shade)
        axes.set(xlabel="said", ylabel="is", title="Confusion matrix", xticks=range(classes), yticks=range(classes))
        return figure

    @torch.no_grad()
    def samples(self, model: nn.Module, context: Context) -> str:
        """The ten validation images that the model finds hardest."""
        images = self.data("validation")
        device = next(model.parameters()).device
        p = model(torch.from_numpy(images.x).to(device)).softmax(1).cpu()
        hardest = p[torch.arange(len(p)), torch.from_numpy(images.y)].argsort()[:10].tolist()
        lines = [
            f"validation image {i}: a {images.y[i]}, taken for a {p[i].argmax()} (probability {p[i].max():.3f})"
            for i in hardest
        ]
        return "\n".join(lines)

    def render_example(self, index: int) -> np.ndarray:
        """The image, 8 x 8."""
        image: np.ndarray = self.data("validation").x[index, 0]
        return image

    def expected_loss(self) -> float:
        """Of a uniform guess: ln K, with smoothed labels too."""
        return math.log(self.config.classes)

    def flops(self) -> float:
        """Of a forward pass, per image: two for each weight, at each of the pixels P that it meets.

            stem                2 x 9 C P
            depthwise           2 x kernel² C P              in each block
            expand, project     2 x 2 x 4 C² P               in each block
            halving             2 x 4 C C' P'                between two stages
            output              2 x C K

        Norms and activations are left out.
        """
        c = self.config
        side, total = SIDE, 2 * 9 * c.widths[0] * SIDE**2
        for stage, (width, depth) in enumerate(zip(c.widths, c.depths, strict=True)):
            if stage:
                side //= 2
                total += 2 * 4 * c.widths[stage - 1] * width * side**2
            total += 2 * depth * width * (c.kernel**2 + 2 * EXPANSION * width) * side**2
        return float(total + 2 * c.widths[-1] * c.classes)


def macro_f1(guess: Tensor, y: Tensor) -> float:
    """The mean over the classes, said or true, of 2 hits / (said + true): rare ones count as much as frequent ones."""
    classes = torch.cat((guess, y)).unique()
    said, true = (guess[:, None] == classes).double(), (y[:, None] == classes).double()
    return float((2 * (said * true).sum(0) / (said.sum(0) + true.sum(0))).mean())
