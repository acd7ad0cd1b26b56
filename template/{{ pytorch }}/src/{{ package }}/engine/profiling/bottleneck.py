"""What bounds the speed of a training, and what to try: a function of what was measured, and of nothing else."""

from dataclasses import dataclass

from .figures import Compiled, Figures

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


@dataclass(frozen=True)
class Verdict:
    """What bounds the speed, the figure that says so, and what to try."""

    bound: str
    because: str
    advice: list[str]


def judge(figures: Figures) -> Verdict:
    """The first bound that its figure speaks for, from the one that hides all others to the one that is left."""
    share, workers = figures.training.data_share, figures.config.train.num_workers
    if share > DATA:
        because = f"a training step waits {share:.0%} of its time for data, with {workers} workers"
        less = "make `batch` in data.py do less for each example, or once for all"
        return Verdict("data loading", because, [f"--train.num-workers {max(2, 2 * workers)}", less])
    return waits_for_host(figures) or computes(figures)


def waits_for_host(figures: Figures) -> Verdict | None:
    """Python and the launching of kernels."""
    larger = 2 * figures.config.train.micro_batch
    advice = [f"--train.micro-batch {larger}, and --train.batch with it: the same cost serves more"]
    if figures.busy is None:
        share = fixed_share(figures)
        if share < FIXED:
            return None
        because = f"{share:.0%} of a forward pass is a cost that does not depend on the batch"
        return Verdict("launch overhead of small operations", because, [*advice, "a wider model costs little more"])
    if figures.busy >= BUSY:
        return None
    because = f"the GPU computes {figures.busy:.0%} of a training step's time"
    if figures.synchronisations and figures.synchronisations > SYNCHRONISATIONS:
        because += f", and the host waits for it {figures.synchronisations:.0f} times a step"
        look = "in model.py and task.py, look for .item(), .tolist(), .cpu(), and indexing with a mask"
        return Verdict("host synchronisation", because, [look])
    compiling = [] if isinstance(figures.compiled, Compiled) else ["--train.compile on"]
    return Verdict("launch overhead of small kernels", because, advice + compiling)


def fixed_share(figures: Figures) -> float:
    """The share of a micro-batch's forward pass that it would take with no example.

    Two points make the line, fixed + examples x each: one example, and a micro-batch.
    """
    examples = max(figures.forward)
    one, many = figures.forward[1].p50_ms, figures.forward[examples].p50_ms
    fixed = (examples * one - many) / (examples - 1) if examples > 1 else 0.0
    return min(max(fixed / many, 0.0), 1.0)


def computes(figures: Figures) -> Verdict:
    """What the device does with its time."""
    share, reached = figures.arithmetic_share, figures.arithmetic.training_utilisation
    because = f"training reaches {reached:.1%} of the matmul peak"
    bf16 = figures.precision == "bf16"
    halving = [] if bf16 else ["--train.precision bf16, where the device has matrix units for it"]
    if reached >= UTILISATION:
        checkpointing = (
            "activation checkpointing off, where the model offers it and memory allows: it computes a third more"
        )
        return Verdict("compute", because, [*halving, checkpointing, "a smaller model, or more devices with torchrun"])
    if share is None:
        because += "; the rest was not measured here"
        return Verdict("nothing stands out", because, ["look at the operators above and at the trace"])
    if share < ARITHMETIC:
        because = f"{1 - share:.0%} of the operators' time goes to those that move data and compute little"
        fusing = [] if isinstance(figures.compiled, Compiled) else ["--train.compile on, which fuses such operators"]
        look = "look at the operators above for those that one fused operator can replace"
        return Verdict("memory bandwidth", because, [*fusing, *halving, look])
    because = f"they and attention take {share:.0%} of the operators' time, and {because}"
    larger = 2 * figures.config.train.micro_batch
    advice = [f"--train.micro-batch {larger}, or a wider model: larger products come nearer to the peak"]
    if figures.device == "cpu" and bf16:
        advice.insert(0, "--train.precision fp32, since few of a CPU's kernels are tuned for bf16")
    return Verdict("matrix products below the peak", because, advice)
