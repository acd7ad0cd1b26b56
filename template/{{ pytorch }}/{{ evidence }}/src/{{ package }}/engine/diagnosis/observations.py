"""What `diagnose` found out about a run, and what it says about it."""

from dataclasses import dataclass, field

from ..splits.leakage import Leakage
from ..statistics.drift import Shift
from .nonfinite import Origin
from .replay import Layer


@dataclass(frozen=True)
class Finding:
    """Something that is wrong."""

    name: str
    evidence: list[str]
    """Numbers, and the thresholds they passed."""
    remedy: list[str]


@dataclass(frozen=True)
class Score:
    """The first metric on a split."""

    value: float
    error: float | None
    """Standard error over the independent examples; None where there are too few."""
    n: int | None


@dataclass(frozen=True)
class Labels:
    """A classifier's labels."""

    counts: dict[int, int]
    """Training examples of each class."""
    accuracy: float
    """On the validation split."""
    recall: dict[int, float]
    """Of each class, there."""
    contradicted: float
    """Share of the validation labels that confident learning contradicts."""
    suspects: list[str]
    """The examples whose label is contradicted most."""


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What the judgements go by; None and empty lists are what could not be observed."""

    steps: int
    """Steps that were taken."""
    finished: bool = True
    passes: float | None = None
    """How often each training example was seen, on average."""
    metric: str
    higher_is_better: bool = False
    train: Score | None = None
    validation: Score | None = None
    baselines: dict[str, float] = field(default_factory=dict)
    validations: list[tuple[int, float]] = field(default_factory=list)
    """Step and first metric."""
    initial: float | None = None
    """Loss of the untrained model."""
    losses: list[tuple[int, float]] = field(default_factory=list)
    """Step and training loss, of the record and of steps that were taken again."""
    norms: list[float] = field(default_factory=list)
    """The gradient's, before clipping."""
    grad_clip: float = 1.0
    layers: list[Layer] = field(default_factory=list)
    """At the last checkpoint."""
    origin: Origin | None = None
    trials: dict[float, float] = field(default_factory=dict)
    """Loss at the end of short runs, by their learning rate."""
    leakage: Leakage | None = None
    labels: Labels | None = None
    faults: list[Finding] = field(default_factory=list)
    """What the task itself finds wrong on the validation split."""
    shifts: list[Shift] = field(default_factory=list)
    """Training against validation split."""
    data_share: float | None = None
    num_workers: int = 0
    learning_rate: float
    options: list[str] = field(default_factory=list)
    """Those that the project's configuration has."""

    @property
    def fall(self) -> float:
        """How far the loss came down, from the untrained model's or the first to the lowest."""
        values = [value for _, value in self.losses]
        first = self.initial if self.initial is not None else values[0]
        return max(first - min(values), 0.0)

    def worse(self, value: float, other: float) -> float:
        """How much worse a value of the metric is than another."""
        return other - value if self.higher_is_better else value - other

    def advise(self, *wanted: str) -> list[str]:
        """Advice, without what begins with an option that this project does not have."""
        return [line for line in wanted if not line.startswith("--") or line.split()[0] in self.options]
