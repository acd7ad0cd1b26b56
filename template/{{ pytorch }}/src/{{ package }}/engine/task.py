"""What the trainer knows of a task: the seam between the engine and your model.

`task.py` fills it in. The trainer, the checkpoints, `check` and `report` use nothing else of a project, so a model
with state between its steps, or a loss over the whole batch, needs no change in them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from .core.batch import Batch, Examples
from .splits.division import Division
from .splits.leakage import Leakage, equal_examples
from .splits.seal import sealed
from .statistics.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .training.config import TrainConfig

__all__ = ["Batch", "Config", "Context", "Examples", "Fault", "Metric", "Output", "Task"]


@runtime_checkable
class Config(Protocol):
    """What the engine knows of a run's configuration, which `presets.py` defines."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def preset(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def train(self) -> "TrainConfig": ...
    def task(self) -> "Task":
        """What is trained with this configuration."""
        ...


class Context(NamedTuple):
    """Where a call stands in the run."""

    step: int
    """The only clock."""
    noise: torch.Generator
    """Keyed by (seed, step, micro-batch), so that what is drawn from it does not depend on the past."""


class Output(NamedTuple):
    """What one forward pass gives the trainer."""

    loss: Tensor
    """Scalar: the *sum* over what `Task.weight` counts; the trainer divides by the total weight."""
    carry: dict[str, Tensor]
    """State for the next step, detached, with the slots of the micro-batch as leading dimension; {} for none."""
    logs: dict[str, Tensor]
    """Further scalars to record, summed like the loss."""


class Fault(NamedTuple):
    """Something that is wrong with a trained model."""

    name: str
    evidence: list[str]
    """The figures that show it."""
    remedy: list[str]


class Task:
    """What a project learns, and how it is measured."""

    unit: ClassVar[str] = "examples"
    """What `weight` counts."""
    pipeline: ClassVar[str] = ""
    """What the Hugging Face Hub calls such a task (https://huggingface.co/tasks), for the model card; "" for none."""
    separable: ClassVar[bool] = True
    """Whether the loss of a batch is the sum over its examples. Where it is not (contrastive losses), a step must be
    one micro-batch on each process."""

    division: Division | None = None
    """How `data` divides the examples, where an experiment sets it before they are read; None is as usual."""

    def __init_subclass__(cls) -> None:
        """Seal the test split: what trains cannot reach it."""
        super().__init_subclass__()
        if "data" in vars(cls):
            cls.data = sealed(cls.data)  # type: ignore[method-assign]

    def model(self) -> nn.Module:
        """A freshly initialised model with everything that is trained in it."""
        raise NotImplementedError

    def check_start(self, earlier: Any) -> None:
        """Refuse to start from a run that was trained with the configuration `earlier` (`train --init`).

        Raises:
            Problem: it has been trained on examples that this task holds out.
        """

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Parameter groups for the optimizer: no decay for vectors (norms, gates, biases)."""
        parameters = list(model.parameters())
        return [
            {"params": [p for p in parameters if p.ndim >= 2]},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]

    def data(self, split: str) -> Examples:
        """The examples of `train`, `validation` or `test`; the last is sealed until `evaluate --final`."""
        raise NotImplementedError

    def shaped(self, count: int) -> Batch:
        """A batch like those of `count` training examples, to estimate memory with: shapes and types count alone.

        Say here what they are where it would take long to make the data.
        """
        return self.data("train").batch(np.zeros(count, np.int64), None)

    def data_hash(self) -> str:
        """Identifies the data and their split; a run refuses to go on with others."""
        raise NotImplementedError

    def leakage(self) -> Leakage:
        """What the splits share; a training does not start where that is anything.

        Unless a task says otherwise, examples that are equal to the bit, for which every split is read once. What is
        nearly equal is found best where the data are split: let `leakage.compare` look there, and return what it says.
        """
        return equal_examples(self.data)

    def start(self, slots: int, device: torch.device) -> dict[str, Tensor]:
        """The state before the first step of one micro-batch of `slots` examples."""
        return {}

    def weight(self, batch: Batch, carry: dict[str, Tensor]) -> Tensor:
        """How much the batch counts, in tokens or examples: a scalar."""
        raise NotImplementedError

    def loss(self, model: nn.Module, batch: Batch, carry: dict[str, Tensor], context: Context) -> Output:
        """One forward pass. Call `model(...)` itself: its other methods bypass what data-parallel training hooks."""
        raise NotImplementedError

    def records(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """What the metrics need to know of each example of a split, concatenated, on the CPU.

        A classifier's are `logits`, (n, classes), and `y`, (n,): what is about classes knows it by these names.
        `loader` gives the batches in the order of the examples, on the model's device.
        """
        raise NotImplementedError

    def metrics(self, records: dict[str, Tensor]) -> dict[str, Metric]:
        """The figures of merit. The first decides which checkpoint is the best."""
        raise NotImplementedError

    def faults(self, records: dict[str, Tensor]) -> list[Fault]:
        """What is wrong with a model that has these records, as far as nobody but this task can tell."""
        return []

    def floors(self, split: str) -> dict[str, float]:
        """What simple methods, fitted to the training split, reach on a split, in the first metric."""
        raise NotImplementedError

    def picture(self, records: dict[str, Tensor]) -> "Figure":
        """One plot of what the model does on the validation split."""
        raise NotImplementedError

    def examples(self, model: nn.Module, context: Context) -> str:
        """A few things that the model says, to be read by a person."""
        raise NotImplementedError

    def portray(self, index: int) -> str | np.ndarray | None:
        """What a person sees of an example of the validation split, counted as by the first metric's `per_example`.

        A text; or an image's brightness, (H, W), or colours, (H, W, 3), from 0 to 1; None where nothing can be seen.
        """
        return None

    def expected_loss(self) -> float | None:
        """Loss per unit of weight of an untrained model, where theory gives it."""
        return None

    def flops(self) -> float | None:
        """Floating-point operations of a forward pass, per unit of weight; None leaves it to PyTorch to count them.

        A multiplication and an addition are two. A backward pass takes twice as many.
        """
        return None

    def graded(self) -> float:
        """The share of these operations that has a backward pass: 1, unless a part is computed without gradient."""
        return 1.0

    def uncut(self, model: nn.Module) -> nn.Module:
        """The model with a gradient through everything that it computes, where training cuts it short on purpose.

        `check` compares that gradient with differences of the loss.
        """
        return model

    def checks(self, model: nn.Module, batch: Batch) -> dict[str, str]:
        """Properties of this architecture that `check` confirms: a name and what was found.

        Raises:
            AssertionError: a property does not hold; the message says how far off it is.
        """
        return {}

    def save_assets(self, folder: Path) -> None:
        """Write into the run what prediction needs besides the weights."""
