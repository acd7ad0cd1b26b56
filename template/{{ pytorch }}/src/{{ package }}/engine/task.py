"""The task interface: what the engine knows of a project, which `task.py` fills in.

A project's task is a subclass of `Task` with five methods: `model`, `data`, `loss`, `predictions` and `metrics`.
Everything else has a default. What only some tasks can do is a protocol below: a task that has its methods has the
capability.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .core.batch import Batch, Examples
from .optim.optimizers import build_optimizers
from .optim.schedules import Schedule, build_schedule
from .splits.division import Division
from .splits.leakage import Leakage, Sample, compare, recorded, samples
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
    """Scalar: a *sum*, which the trainer divides by the total of `units` over micro-batches and processes."""
    units: Tensor | float
    """What it is a sum over: the number of examples or tokens, or their total weight."""
    state: dict[str, Tensor] = {}  # noqa: RUF012 - a NamedTuple's default is never changed
    """State for the next step, detached, with the slots of the micro-batch as leading dimension."""
    logs: dict[str, Tensor] = {}  # noqa: RUF012
    """Further scalars to record, summed like the loss."""


class Fault(NamedTuple):
    """Something that is wrong with a trained model."""

    name: str
    evidence: list[str]
    """The figures that show it."""
    remedy: list[str]


class Task(ABC):
    """What a project learns, and how it is measured."""

    unit: ClassVar[str] = "examples"
    """What `Output.units` counts."""
    pipeline: ClassVar[str] = ""
    """What the Hugging Face Hub calls such a task (https://huggingface.co/tasks), for the model card; "" for none."""
    per_example_loss: ClassVar[bool] = True
    """Whether the loss of a batch is the sum over its examples. Where it is not (contrastive losses), a step must be
    one micro-batch on each process."""
    division: Division | None = None
    """How `data` divides the examples, where an experiment sets it before they are read; None is as usual."""

    def __init_subclass__(cls) -> None:
        """Seal the test split: what trains cannot reach it."""
        super().__init_subclass__()
        if "data" in vars(cls):
            cls.data = sealed(cls.data)  # type: ignore[method-assign]

    # ---- Required

    @abstractmethod
    def model(self) -> nn.Module:
        """A freshly initialised model with everything that is trained in it."""

    @abstractmethod
    def data(self, split: str) -> Examples:
        """The examples of `train`, `validation` or `test`; the last is sealed until `evaluate --final`."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        """One forward pass. Call `model(...)` itself: its other methods bypass what data-parallel training hooks."""

    @abstractmethod
    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """What the metrics need to know of each example of a split, concatenated, on the CPU.

        A classifier's are `logits`, (n, classes), and `y`, (n,): what is about classes knows it by these names.
        `loader` gives the batches in the order of the examples, on the model's device.
        """

    @abstractmethod
    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        """The figures of merit. The first decides which checkpoint is the best."""

    # ---- Optional: how it is trained

    def optimizer(self, model: nn.Module, config: "TrainConfig") -> Optimizer | list[Optimizer]:
        """The optimizer, or several that share the parameters; `config.learning_rate` is the peak of the schedule."""
        return build_optimizers(model, config)

    def schedule(self, config: "TrainConfig") -> Schedule:
        """The factor of each parameter group's learning rate at a step."""
        return build_schedule(config)

    def initial_weights(self) -> Path | None:
        """A file of weights that a training starts from, as `train --init RUN` starts from a run's; None for random."""
        return None

    def initial_state(self, slots: int, device: torch.device) -> dict[str, Tensor]:
        """The state before the first step of one micro-batch of `slots` examples; {} where steps share nothing."""
        return {}

    # ---- Optional: what the data are

    def data_hash(self) -> str:
        """Identifies the data and their split; a run refuses to resume with others.

        Unless a task says otherwise, the hash of every example, recorded in data.lock.json.
        """
        return recorded(type(self).__name__, self._samples, self.division)

    def leakage(self) -> Leakage:
        """What the splits share; a training does not start where that is anything.

        Unless a task says otherwise, examples that are equal to the bit. What is nearly equal is found best where the
        data are split: let `leakage.compare` look there, and return what it says.
        """
        return compare(self._samples, [], "tensors equal to the bit")

    @cached_property
    def _samples(self) -> list[Sample]:
        """Every example of every split."""
        return samples(self.data)

    def example_batch(self, count: int) -> Batch:
        """Like a batch of `count` training examples, in shapes and types alone: memory is estimated with it."""
        return self.data("train").batch(np.zeros(count, np.int64), None)

    # ---- Optional: what is shown beside the metrics

    def baselines(self, split: str) -> dict[str, float]:
        """What simple methods, fitted to the training split, reach on a split, in the first metric."""
        return {}

    def figure(self, predictions: dict[str, Tensor]) -> "Figure | None":
        """One plot of what the model does on the validation split."""
        return None

    def samples(self, model: nn.Module, context: Context) -> str:
        """A few things that the model says, to be read by a person."""
        return ""

    # ---- Optional: what is known of the model

    def checks(self, model: nn.Module, batch: Batch) -> dict[str, str]:
        """Properties of this architecture that `check` confirms: a name and what was found.

        Raises:
            AssertionError: a property does not hold, and how far off it is; by `core.errors.require`, since a plain
                `assert` is left out under `python -O`.
        """
        return {}

    def flops(self) -> float | None:
        """Floating-point operations of a forward pass, per unit; None leaves it to PyTorch to count them.

        A multiplication and an addition are two. A backward pass takes twice as many.
        """
        return None


@runtime_checkable
class ExpectsLoss(Protocol):
    """Theory gives the loss of an untrained model."""

    def expected_loss(self) -> float:
        """Per unit."""


@runtime_checkable
class NamesClasses(Protocol):
    """The classes that are told apart have names."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the logits."""


def class_names(task: Task, count: int) -> list[str]:
    """What `count` classes are called: by the task, or by their numbers."""
    return list(task.class_names) if isinstance(task, NamesClasses) else [str(number) for number in range(count)]


@runtime_checkable
class RendersExamples(Protocol):
    """An example can be seen."""

    def render_example(self, index: int) -> str | np.ndarray:
        """What a person sees of an example of the validation split, counted as by the first metric's `per_example`.

        A text; or an image's brightness, (H, W), or colours, (H, W, 3), from 0 to 1.
        """


@runtime_checkable
class FindsFaults(Protocol):
    """Some faults of a trained model are known to this task alone."""

    def faults(self, predictions: dict[str, Tensor]) -> list[Fault]:
        """What is wrong with a model that has these predictions."""


class Final(NamedTuple):
    """What is measured of a trained model once."""

    metrics: dict[str, Metric]
    baselines: dict[str, dict[str, float]] = {}  # noqa: RUF012
    """What simple methods reach in some of these metrics."""
    figure: "Figure | None" = None
    """A plot, beside that of the predictions."""


@runtime_checkable
class MeasuresAtEnd(Protocol):
    """Some figures of merit take too long for each validation, such as those of samples."""

    def final(self, model: nn.Module, split: str, context: Context) -> Final:
        """What is measured by `evaluate`, and at the end of a training, on the first process alone."""


@runtime_checkable
class CutsGradient(Protocol):
    """Training cuts the gradient short on purpose."""

    def backward_fraction(self) -> float:
        """The share of `flops` that has a backward pass."""

    def with_full_gradient(self, model: nn.Module) -> nn.Module:
        """The model with its whole gradient, which `check` compares with differences of the loss."""


@runtime_checkable
class SavesAssets(Protocol):
    """Prediction needs more than the weights."""

    def save_assets(self, folder: Path) -> None:
        """Write it into the run."""


@runtime_checkable
class LoadsAssets(Protocol):
    """The model of a run is made by what was saved with it, and not by the data, which may be elsewhere by then."""

    def load_assets(self, folder: Path) -> None:
        """Read it from the run, before `model` is called."""


@runtime_checkable
class ChecksStart(Protocol):
    """Not every run may be started from."""

    def check_start(self, earlier: Any) -> None:
        """Refuse to start from a run that was trained with the configuration `earlier` (`train --init`).

        Raises:
            Problem: it has been trained on examples that this task holds out.
        """
