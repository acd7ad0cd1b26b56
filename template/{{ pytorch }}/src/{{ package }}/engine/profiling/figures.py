"""What `profile` measures, as profile.json holds it."""

from dataclasses import dataclass

from ..task import Config


@dataclass(frozen=True)
class Timing:
    """How long something takes."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    n: int
    """How often it was measured; from fewer than 100, the 99th percentile is little more than the slowest."""
    units_per_second: float
    """Tokens or examples, over the whole time of the measurement."""
    data_share: float = 0.0
    """Share of the time in which a training step waits for data."""


@dataclass(frozen=True)
class Compiled:
    """A training step with the model compiled."""

    timing: Timing
    seconds: float
    """What the first step took longer than the others."""
    graph_breaks: int
    """Places where the compiler gave up and went back to Python."""


@dataclass(frozen=True)
class Arithmetic:
    """How much is computed, and how near that comes to the device's limit."""

    forward_flops: float
    """Floating-point operations of a forward pass, per unit."""
    source: str
    """Who says so."""
    training_factor: float
    """What a training step computes, as a multiple of the forward pass: 3 where all of it has a gradient. What is
    computed again does not count (PaLM, arXiv:2204.02311, appendix B)."""
    matmul_peak: float
    """Floating-point operations a second that the device reaches."""
    forward_utilisation: float
    """Of that peak."""
    training_utilisation: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All of them; None is what could not be measured on this device."""

    machine: str
    device: str
    precision: str
    threads: int
    torch: str
    unit: str
    parameters: int
    forward: dict[int, Timing]
    """By the number of examples in the batch."""
    training: Timing
    """As `train` does it: compiled where it compiles."""
    eager: Timing
    compiled: Compiled | str
    """Or why there is no figure."""
    memory_gb: float | None
    arithmetic: Arithmetic
    arithmetic_share: float | None
    """Of the operators' time, what matrix products, convolutions and attention take."""
    busy: float | None
    """Share of a training step in which the GPU computes."""
    synchronisations: float | None
    """How often a training step waits for the GPU."""
    config: Config
