"""What `diagnose` looks at, writes and says: a block for each finding, diagnosis.json and a picture, in the run."""

import json
import math
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..core.batch import Examples
from ..core.errors import Diverged, Problem
from ..core.files import save_figure, write_atomically
from ..core.runs import load_environment
from ..core.tracking import read
from ..statistics.drift import columns, shifts
from ..statistics.metrics import FEWEST, Metric
from ..task import Config, FindsFaults, Task
from ..training.checkpoint import MODEL
from ..training.progress import measuring
from ..training.seeding import derive_seed
from ..training.validation import measure
from .label_noise import inspect
from .observations import Finding, Observations, Score
from .replay import Replay, build_replay, miniature
from .rules import DEAD, VANISHED, judge, wants_trials

MEASURED = 512
"""Examples of a split whose metric is measured."""
COMPARED = 2000
"""Examples of a split whose distribution is compared."""
TIMED, WATCHED = 30, 8
"""Steps that are taken again behind the last checkpoint, for their time and for their gradients."""
SHORT = 60
"""Steps of the short runs at other learning rates ..."""
RATES = 6
"""... and how many of them are tried at most."""


def diagnose(run: Path, config: Config) -> tuple[list[Finding], str]:
    """What is wrong with a run, and diagnosis.json, which is written into it beside diagnosis.png.

    Raises:
        Problem: the data are not the run's.
    """
    environment, task = load_environment(run), config.task()
    if task.data_hash() != environment["data"]:
        raise Problem(f"{run} was trained on other data than today's: restore them, or train again")
    # With another number of threads, the last bits of every step differ.
    torch.set_num_threads(environment["threads"])
    seen = observe(run, config, task)
    findings = judge(seen)
    folder = run / "diagnosis"
    folder.mkdir(exist_ok=True)
    results = {"run": run.name, "findings": [asdict(finding) for finding in findings], "observations": asdict(seen)}
    text = json.dumps(without_infinities(results), indent=2)
    write_atomically(folder / "diagnosis.json", text + "\n")
    save_figure(picture(seen), folder / "diagnosis.png")
    return findings, text


def observe(run: Path, config: Config, task: Task) -> Observations:
    """Everything that the judgements go by."""
    measuring("the loss before training")
    with closing(build_replay(run, task, config.train, config.seed)) as fresh:
        initial = None
        with suppress(Diverged):
            initial = fresh.take().loss
    seen = from_record(run, config, task, initial)
    if not seen.finished and not is_training(run):
        seen = from_next_steps(run, config, task, seen)
        if seen.origin and seen.origin.where == "data":
            return seen  # nothing that is computed from these data means anything
    seen = from_last_checkpoint(run, config, task, seen)
    return replace(seen, trials=try_rates(run, config, task)) if wants_trials(seen) else seen


def try_rates(run: Path, config: Config, task: Task) -> dict[float, float]:
    """The losses of short runs at a tenth of the rate, at the rate, at ten times it, and on while the loss falls."""
    measuring("short runs at other learning rates")
    rate = config.train.learning_rate
    trials: dict[float, float] = {}
    ladder = [rate, tenfold(rate, -1), tenfold(rate, 1)]
    while ladder:
        for at in ladder:
            trials[at] = miniature(run, task, replace(config.train, learning_rate=at), config.seed, SHORT)
        best = min(trials, key=trials.__getitem__)
        onward = {min(trials): tenfold(best, -1), max(trials): tenfold(best, 1)}
        ladder = [onward[best]] if best in onward and len(trials) < RATES else []
    return trials


def tenfold(rate: float, power: int) -> float:
    """The rate times a power of ten, without the last digits that a float adds."""
    return float(f"{rate * 10.0**power:.6g}")


def from_record(run: Path, config: Config, task: Task, initial: float | None) -> Observations:
    """What metrics.jsonl says, and what the splits share."""
    history = read(run / "metrics.jsonl")
    names = [name for line in history for name in line if name.startswith("validation/")]
    metric = names[0] if names else "validation/"
    steps = history[-1]["step"] if history else 0
    return Observations(
        steps=steps,
        finished=(run / MODEL).exists(),
        passes=steps * config.train.batch / len(task.data("train")),
        metric=metric.removeprefix("validation/"),
        validations=[(line["step"], line[metric]) for line in history if metric in line],
        initial=initial,
        losses=[(line["step"], line["loss"]) for line in history if "loss" in line],
        norms=[line["gradient_norm"] for line in history if "gradient_norm" in line],
        grad_clip=config.train.grad_clip,
        num_workers=config.train.num_workers,
        learning_rate=config.train.learning_rate,
        leakage=task.leakage(),
        options=options(config),
    )


def from_next_steps(run: Path, config: Config, task: Task, seen: Observations) -> Observations:
    """What ended a training that has not finished: its steps from the last checkpoint to where the next would be."""
    with closing(build_replay(run, task, config.train, config.seed)) as replay:
        replay.trainer.restore()
        start, train = replay.learner.step, config.train
        ends = [(start // every + 1) * every for every in (train.save_every, train.validate_every)]
        steps = min(*ends, train.steps) - start
        measuring(f"up to {steps} steps behind step {start}, taken again")
        losses, origin = replay.hunt(steps)
    # The record holds means over several steps, these are single ones.
    recorded = [point for point in seen.losses if point[0] <= start]
    return replace(seen, losses=recorded + losses, steps=max(seen.steps, start + len(losses)), origin=origin)


def from_last_checkpoint(run: Path, config: Config, task: Task, seen: Observations) -> Observations:
    """The splits, and the steps behind the last checkpoint."""
    with closing(build_replay(run, task, config.train, config.seed)) as replay:
        replay.trainer.restore()
        measuring("the training and the validation split")
        predictions, metrics = zip(*(measured(replay, split) for split in ("train", "validation")), strict=True)
        name = next(iter(metrics[0]))
        train, validation = (score(found[name]) for found in metrics)
        samples = [sample(task.data(split), config) for split in ("train", "validation")]
        labels = None
        if predictions[1].keys() >= {"logits", "y"}:
            y = samples[0].get("y", predictions[0]["y"].numpy()).astype(int)
            labels = inspect(y, predictions[1]["logits"].double().numpy(), predictions[1]["y"].numpy())
        measuring("gradients and the waiting for data")
        data_share, layers = None, []
        with suppress(Diverged):
            data_share = replay.data_share(TIMED)
            layers = replay.layers(WATCHED)
    return replace(
        seen,
        metric=name,
        higher_is_better=metrics[0][name].higher_is_better,
        train=train,
        validation=validation,
        baselines=task.baselines("validation"),
        layers=layers,
        labels=labels,
        faults=[Finding(*fault) for fault in task.faults(predictions[1])] if isinstance(task, FindsFaults) else [],
        shifts=shifts(*samples),
        data_share=data_share,
    )


def measured(replay: Replay, split: str) -> tuple[dict[str, Tensor], dict[str, Metric]]:
    """Records and metrics of some examples of a split."""
    learner = replay.learner
    size, device = learner.config.micro_batch, learner.device
    limit = -(-MEASURED // size)
    return measure(
        learner.task,
        learner.evaluated,
        split,
        size,
        world=learner.world,
        seed=learner.seed,
        limit=limit,
        bf16=device.bf16,
    )


def score(metric: Metric) -> Score:
    """A metric with the standard error of its mean."""
    examples = metric.per_example
    if examples is None or len(examples) < FEWEST:
        return Score(metric.value, None, None if examples is None else len(examples))
    return Score(metric.value, float(examples.double().std()) / math.sqrt(len(examples)), len(examples))


def sample(examples: Examples, config: Config) -> dict[str, np.ndarray]:
    """The features of some examples of a split."""
    rng = np.random.default_rng(derive_seed(config.seed, "diagnose"))
    chosen = np.sort(rng.permutation(len(examples))[:COMPARED])
    size = config.train.micro_batch
    parts = [columns(examples.batch(chosen[i : i + size], None)) for i in range(0, len(chosen), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def is_training(run: Path) -> bool:
    """Whether a process trains in this run now."""
    lock = FileLock(run / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def options(config: Any, prefix: str = "--") -> list[str]:
    """The options that a configuration has on the command line."""
    found = []
    for field in fields(config):
        name, value = f"{prefix}{field.name.replace('_', '-')}", getattr(config, field.name)
        found += options(value, f"{name}.") if is_dataclass(value) else [name]
    return found


def without_infinities(value: Any) -> Any:
    """The same with null where a number is not finite, which JSON cannot say."""
    if isinstance(value, dict):
        return {str(name): without_infinities(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_infinities(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def page(run: Path, findings: list[Finding]) -> Iterator[str]:
    """The lines that a person reads."""
    count = {0: "nothing found", 1: "1 finding"}.get(len(findings), f"{len(findings)} findings")
    yield f"{run}: {count}"
    for finding in findings:
        yield f"\n{finding.name}"
        yield from (f"  {line}" for line in finding.evidence)
        yield from (f"  try: {line}" for line in finding.remedy)
    yield f"\n{run / 'diagnosis'}: diagnosis.json, diagnosis.png"


def picture(seen: Observations) -> Figure:
    """The loss, the metric on both splits, the gradient of each layer, and its units that learn nothing."""
    tall = 1 + 0.2 * len(seen.layers)
    figure = Figure(figsize=(11, 4 + tall), layout="constrained")
    (loss, metric), (gradients, units) = figure.subplots(2, 2, height_ratios=(4, tall))
    draw_loss(loss, seen)
    draw_metric(metric, seen)
    draw_gradients(gradients, seen)
    units.sharey(gradients)
    units.barh([layer.name for layer in seen.layers], [layer.dead / layer.units for layer in seen.layers], color="C3")
    units.axvline(DEAD, linestyle="--", linewidth=1, color="gray")
    units.set(xlabel="share of the units", title="Units that learn nothing", xlim=(0, 1))
    units.tick_params(labelleft=False)
    for axes in (loss, metric, gradients, units):
        axes.grid(alpha=0.3)
    return figure


def draw_loss(axes: Axes, seen: Observations) -> None:
    """The training loss and the untrained model's."""
    axes.plot([step for step, _ in seen.losses], [value for _, value in seen.losses], marker=".")
    if seen.initial is not None:
        axes.axhline(seen.initial, linestyle="--", linewidth=1, color="gray", label="untrained")
        axes.legend(fontsize="small")
    if seen.origin:
        axes.axvline(seen.origin.step, color="C3", linewidth=1)
    axes.set(xlabel="step", ylabel="loss", title="Training loss")


def draw_metric(axes: Axes, seen: Observations) -> None:
    """The validation metric while training, and both splits at the last checkpoint."""
    axes.plot([step for step, _ in seen.validations], [value for _, value in seen.validations], marker=".")
    for name, found, colour in (("training", seen.train, "C1"), ("validation", seen.validation, "C0")):
        if found:
            error = None if found.error is None else 1.96 * found.error
            axes.errorbar([seen.steps], [found.value], error, fmt="o", capsize=3, color=colour, label=f"{name} split")
    if seen.train:
        axes.legend(fontsize="small")
    title = seen.metric.replace("_", " ")
    axes.set(xlabel="step", ylabel=title, title=f"{title[:1].upper()}{title[1:]}")


def draw_gradients(axes: Axes, seen: Observations) -> None:
    """The gradient of each layer as a share of the strongest, over the decades that are healthy and two below."""
    strongest = max((layer.gradient for layer in seen.layers), default=0.0) or 1.0
    axes.barh([layer.name for layer in seen.layers], [layer.gradient / strongest for layer in seen.layers])
    axes.axvline(VANISHED, linestyle="--", linewidth=1, color="gray")
    axes.set_xscale("log")
    axes.set(xlabel="share of the strongest", title="Gradient of each layer", xlim=(VANISHED / 100, 2))
    axes.tick_params(axis="y", labelsize="small")
    axes.invert_yaxis()
