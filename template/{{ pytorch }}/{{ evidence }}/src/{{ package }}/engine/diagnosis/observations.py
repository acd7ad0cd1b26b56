"""What `diagnose` found out about a run."""

import math
from dataclasses import dataclass, field

from ..splits.leakage import Leakage
from ..statistics.drift import Shift
from ..statistics.metrics import Result
from ..task import Fault
from ..training.config import TrainConfig
from .label_noise import Labels
from .nonfinite import Origin
from .replay import Layer


@dataclass(kw_only=True)
class Observations:
    """What the rules go by; None, NaN and empty lists are what could not be observed."""

    config: TrainConfig
    steps: int
    """Steps that were taken."""
    finished: bool = True
    passes: float | None = None
    """How often each training example was seen, on average."""
    metric: str = ""
    """The name of the first."""
    train: Result | None = None
    """The first metric at the last checkpoint, with the validation split's baselines."""
    validation: Result | None = None
    validations: dict[int, float] = field(default_factory=dict)
    """The first metric while training, by step."""
    initial: float = math.nan
    """Loss of the untrained model."""
    losses: dict[int, float] = field(default_factory=dict)
    """Training loss by step, of the record and of steps that were taken again."""
    norms: list[float] = field(default_factory=list)
    """The gradient's, before clipping."""
    layers: list[Layer] = field(default_factory=list)
    """At the last checkpoint."""
    origin: Origin | None = None
    trials: dict[float, float] = field(default_factory=dict)
    """Loss at the end of short runs, by their learning rate."""
    leakage: Leakage | None = None
    labels: Labels | None = None
    shifts: list[Shift] = field(default_factory=list)
    """Training against validation split."""
    data_share: float = 0.0
    """Share of a training step that waits for data."""
    faults: list[Fault] = field(default_factory=list)
    """What the task itself finds wrong on the validation split."""

    @property
    def fall(self) -> float:
        """How far the loss came down."""
        return max(self.initial - min(self.losses.values()), 0.0)
