"""The task: tell ten digits apart, measured by accuracy. Put your own in its place.

`engine/task.py` says what each method is for, and which others there are: an optimizer and a schedule of your own,
plots, samples, checks, state between steps.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import ModelConfig
from .data import CLASSES, FEATURES, Images, load
from .engine.splits.leakage import Leakage
from .engine.task import Batch, Context, Metric, Output, Task
from .model import MLP


class Classification(Task):
    """One label for each image."""

    pipeline = "image-classification"

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def model(self) -> nn.Module:
        return MLP(self.config, FEATURES, CLASSES)

    def data(self, split: str) -> Images:
        return load(self.division).splits[split]

    def data_hash(self) -> str:
        return load(self.division).sha256

    def leakage(self) -> Leakage:
        return load(self.division).leakage

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        logits = model(batch["x"])
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return Output(functional.cross_entropy(logits, batch["y"], reduction="sum"), len(logits))

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`logits`, (n, classes), and `y`, (n,)."""
        parts = [(model(batch["x"]).float().cpu(), batch["y"].cpu()) for batch in loader]
        logits, y = zip(*parts, strict=True)
        return {"logits": torch.cat(logits), "y": torch.cat(y)}

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        right = (predictions["logits"].argmax(1) == predictions["y"]).double()
        return {"accuracy": Metric(right.mean().item(), right, higher_is_better=True, share=True)}

    def baselines(self, split: str) -> dict[str, float]:
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
