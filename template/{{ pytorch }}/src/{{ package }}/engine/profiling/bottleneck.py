"""What bounds the speed of a training, and what to try: a function of what was measured, and of nothing else."""

from dataclasses import dataclass

DATA = 0.1
"""A step may wait this share of its time for data."""
BUSY = 0.7
"""A GPU that computes for less of the time than this is kept waiting by the host."""
SYNCHRONISATIONS = 2.0
"""How often a step may wait for the GPU: the trainer does it once, to read the loss and the gradient's norm."""
FIXED = 0.3
"""Share of a forward pass that may be a cost of the pass, whatever the batch."""
UTILISATION = 0.4
"""From this share of the matmul peak on, arithmetic is what takes the time."""
ARITHMETIC = 0.5
"""Where matrix products take less of the operators' time than this, moving data takes it."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the verdict goes by; None is what could not be measured on this device."""

    device: str
    bf16: bool
    compiled: bool
    num_workers: int
    micro_batch: int
    data_share: float
    busy: float | None
    """Share of a step in which the GPU computes."""
    synchronisations: float | None
    """How often a step waits for the GPU."""
    fixed_share: float | None
    utilisation: float
    """Of the matmul peak, in training."""
    arithmetic_share: float | None


@dataclass(frozen=True)
class Verdict:
    """What bounds the speed, the figure that says so, and what to try."""

    bound: str
    because: str
    advice: list[str]


def fixed_share(one: float, many: float, examples: int) -> float | None:
    """The share of a forward pass of many examples that it would take with none.

    The time is taken to be fixed + examples x each; `one` is that of one example.
    """
    if examples == 1:
        return None
    fixed = (examples * one - many) / (examples - 1)
    return min(max(fixed / many, 0.0), 1.0)


def judge(figures: Figures) -> Verdict:
    """The first bound that its figure speaks for, from the one that hides all others to the one that is left."""
    for bound in (waits_for_data, waits_for_host, computes, moves_memory, multiplies_slowly):
        verdict = bound(figures)
        if verdict:
            return verdict
    because = f"training reaches {figures.utilisation:.1%} of the matmul peak; the rest was not measured here"
    return Verdict("nothing stands out", because, ["look at the operators above and at the trace"])


def waits_for_data(figures: Figures) -> Verdict | None:
    """The loader."""
    if figures.data_share <= DATA:
        return None
    more = max(2, 2 * figures.num_workers)
    return Verdict(
        "data loading",
        f"a training step waits {figures.data_share:.0%} of its time for data, with {figures.num_workers} workers",
        [
            f"--train.num-workers {more}",
            "make `batch` in data.py do less for each example, or once for all",
        ],
    )


def waits_for_host(figures: Figures) -> Verdict | None:
    """Python and the launching of kernels."""
    advice = [f"--train.micro-batch {2 * figures.micro_batch}, and --train.batch with it: the same cost serves more"]
    if figures.busy is None:
        if figures.fixed_share is None or figures.fixed_share < FIXED:
            return None
        because = f"{figures.fixed_share:.0%} of a forward pass is a cost that does not depend on the batch"
        return Verdict("launch overhead of small operations", because, [*advice, "a wider model costs little more"])
    if figures.busy >= BUSY:
        return None
    because = f"the GPU computes {figures.busy:.0%} of a training step's time"
    if figures.synchronisations and figures.synchronisations > SYNCHRONISATIONS:
        return Verdict(
            "host synchronisation",
            f"{because}, and the host waits for it {figures.synchronisations:.0f} times a step",
            ["in model.py and task.py, look for .item(), .tolist(), .cpu(), and indexing with a mask"],
        )
    if not figures.compiled:
        advice.append("--train.compile on")
    return Verdict("launch overhead of small kernels", because, advice)


def computes(figures: Figures) -> Verdict | None:
    """Arithmetic."""
    if figures.utilisation < UTILISATION:
        return None
    advice = [] if figures.bf16 else ["--train.precision bf16, where the device has matrix units for it"]
    return Verdict(
        "compute",
        f"training reaches {figures.utilisation:.1%} of the matmul peak",
        [
            *advice,
            "activation checkpointing off, where the model offers it and memory allows: it computes a third more",
            "a smaller model, or more devices with torchrun",
        ],
    )


def moves_memory(figures: Figures) -> Verdict | None:
    """Operations that read and write much and compute little."""
    if figures.arithmetic_share is None or figures.arithmetic_share >= ARITHMETIC:
        return None
    fuse = [] if figures.compiled else ["--train.compile on, which fuses such operators"]
    halve = [] if figures.bf16 else ["--train.precision bf16: half the bytes, where the device has matrix units for it"]
    return Verdict(
        "memory bandwidth",
        f"{1 - figures.arithmetic_share:.0%} of the operators' time goes to those that move data and compute little",
        [*fuse, *halve, "look at the operators above for those that one fused operator can replace"],
    )


def multiplies_slowly(figures: Figures) -> Verdict | None:
    """Matrix products that are far from the peak although they take the time."""
    if figures.arithmetic_share is None:
        return None
    other = ["--train.precision fp32, since few of a CPU's kernels are tuned for bf16"]
    return Verdict(
        "matrix products below the peak",
        f"they and attention take {figures.arithmetic_share:.0%} of the operators' time, "
        f"and training reaches {figures.utilisation:.1%} of the matmul peak",
        [
            *(other if figures.device == "cpu" and figures.bf16 else []),
            f"--train.micro-batch {2 * figures.micro_batch}, or a wider model: larger products come nearer to the peak",
        ],
    )
