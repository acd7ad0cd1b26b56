"""The task: tell ten digits apart, measured by accuracy. Put your own in its place.

`seam.py` says what each method is for; the trainer, `check` and `report` use nothing else.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import ModelConfig
from .data import Images, load
from .engine.core.batch import Batch
from .engine.splits.leakage import Leakage
from .engine.task import Context, Metric, Output, Task
from .model import MLP

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Classification(Task):
    """One label for each image."""

    pipeline: ClassVar[str] = "image-classification"

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def model(self) -> nn.Module:
        return MLP(self.config)

    def data(self, split: str) -> Images:
        return load(self.division).splits[split]

    def data_hash(self) -> str:
        return load(self.division).sha256

    def leakage(self) -> Leakage:
        return load(self.division).leakage

    def loss(self, model: nn.Module, batch: Batch, carry: dict[str, Tensor], context: Context) -> Output:
        logits = model(batch["x"])
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return Output(functional.cross_entropy(logits, batch["y"], reduction="sum"), len(logits))

    def records(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`logits`, (n, classes), and `y`, (n,)."""
        parts = [(model(batch["x"]).float().cpu(), batch["y"].cpu()) for batch in loader]
        logits, y = zip(*parts, strict=True)
        return {"logits": torch.cat(logits), "y": torch.cat(y)}

    def metrics(self, records: dict[str, Tensor]) -> dict[str, Metric]:
        right = (records["logits"].argmax(1) == records["y"]).double()
        nats = functional.cross_entropy(records["logits"].double(), records["y"], reduction="none")
        return {
            "accuracy": Metric(right.mean().item(), right, higher_is_better=True, share=True),
            "cross_entropy": Metric(nats.mean().item(), nats),
        }

    def floors(self, split: str) -> dict[str, float]:
        """Accuracies of classical methods that were fitted to the same training images."""
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.neighbors import KNeighborsClassifier

        methods = {
            "most frequent digit": DummyClassifier(),
            "logistic regression": LogisticRegression(max_iter=1000),
            "nearest neighbour": KNeighborsClassifier(1),
        }
        train, held_out = self.data("train"), self.data(split)
        return {name: method.fit(train.x, train.y).score(held_out.x, held_out.y) for name, method in methods.items()}

    def picture(self, records: dict[str, Tensor]) -> "Figure":
        """The confusion matrix."""
        from matplotlib.figure import Figure

        classes = self.config.classes
        pairs = records["y"] * classes + records["logits"].argmax(1)
        counts = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
        figure = Figure(figsize=(5, 5), layout="constrained")
        axes = figure.subplots()
        axes.imshow(counts.sqrt().numpy(), cmap="Blues")
        for truth, guess in counts.nonzero().tolist():
            axes.text(guess, truth, str(counts[truth, guess].item()), ha="center", va="center", fontsize="small")
        axes.set(xlabel="said", ylabel="is", title="Confusion matrix", xticks=range(classes), yticks=range(classes))
        return figure

    def examples(self, model: nn.Module, context: Context) -> str:
        """The first ten validation images: what they are and what the model says."""
        images = self.data("validation")
        device = next(model.parameters()).device
        with torch.no_grad():
            p = model(torch.from_numpy(images.x[:10]).to(device)).softmax(1).cpu()
        lines = [
            f"a {y}, taken for a {q.argmax()} (probability {q.max():.3f})"
            for y, q in zip(images.y[:10], p, strict=True)
        ]
        return "\n".join(lines)

    def portray(self, index: int) -> np.ndarray:
        """The image, 8 x 8."""
        image: np.ndarray = self.data("validation").x[index].reshape(8, 8)
        return image

    def expected_loss(self) -> float:
        """Of a uniform guess: ln K."""
        return math.log(self.config.classes)

    def flops(self) -> float:
        """Two for each weight of a matrix, per image."""
        c = self.config
        return 2.0 * (c.features * c.width + (c.layers - 1) * c.width**2 + c.width * c.classes)
