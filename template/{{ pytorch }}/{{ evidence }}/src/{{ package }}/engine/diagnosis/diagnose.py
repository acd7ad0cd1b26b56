"""What `diagnose` looks at, writes and says: a block for each finding, diagnosis.json and a picture, in the run."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from ..core.batch import Examples
from ..core.errors import Diverged, Problem
from ..core.files import save_figure, write_atomically
from ..core.json_io import to_json_text
from ..core.runs import load_environment
from ..core.tracking import read
from ..statistics.drift import columns, shifts
from ..statistics.metrics import summarise
from ..task import Config, Fault, FindsFaults, Task, class_names
from ..training.checkpoint import MODEL
from ..training.progress import measuring
from ..training.seeding import derive_seed
from ..training.validation import measure
from .figure import draw
from .label_noise import inspect
from .observations import Observations
from .replay import build_replay, data_share, layers, origin, short_run, take
from .rules import judge, wants_trials

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


def diagnose(run: Path, config: Config) -> tuple[list[Fault], str]:
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
    results = {"run": run.name, "findings": [fault._asdict() for fault in findings], "observations": asdict(seen)}
    text = to_json_text(results, indent=2)
    write_atomically(folder / "diagnosis.json", text + "\n")
    save_figure(draw(seen), folder / "diagnosis.png")
    return findings, text


def page(run: Path, findings: list[Fault]) -> Iterator[str]:
    """The lines that a person reads."""
    count = {0: "nothing found", 1: "1 finding"}.get(len(findings), f"{len(findings)} findings")
    yield f"{run}: {count}"
    for finding in findings:
        yield f"\n{finding.name}"
        yield from (f"  {line}" for line in finding.evidence)
        yield from (f"  try: {line}" for line in finding.remedy)
    yield f"\n{run / 'diagnosis'}: diagnosis.json, diagnosis.png"


def observe(run: Path, config: Config, task: Task) -> Observations:
    """Everything that the rules go by."""
    seen = read_record(run, config, task)
    measuring("the loss before training")
    losses = take(build_replay(run, task, config.train, config.seed, restored=False), 1)
    seen.initial = losses.get(1, math.nan)
    if not seen.finished and not is_training(run):
        look_ahead(run, config, task, seen)
        if seen.origin and seen.origin.where == "data":
            return seen  # nothing that is computed from these data means anything
    look_at_checkpoint(run, config, task, seen)
    if wants_trials(seen):
        seen.trials = try_rates(run, config, task)
    return seen


def read_record(run: Path, config: Config, task: Task) -> Observations:
    """What metrics.jsonl says, and what the splits share."""
    history = read(run / "metrics.jsonl")
    metric = next((name for line in history for name in line if name.startswith("validation/")), "")
    steps = history[-1]["step"] if history else 0
    return Observations(
        config=config.train,
        steps=steps,
        finished=(run / MODEL).exists(),
        passes=steps * config.train.batch / len(task.data("train")),
        metric=metric.removeprefix("validation/"),
        validations={line["step"]: line[metric] for line in history if metric in line},
        losses={line["step"]: line["loss"] for line in history if "loss" in line},
        norms=[line["gradient_norm"] for line in history if "gradient_norm" in line],
        leakage=task.leakage(),
    )


def is_training(run: Path) -> bool:
    """Whether a process trains in this run now."""
    try:
        with FileLock(run / ".lock", timeout=0):
            return False
    except Timeout:
        return True


def look_ahead(run: Path, config: Config, task: Task, seen: Observations) -> None:
    """What ended a run that has not finished: the steps behind its last checkpoint, as many as lie between two."""
    learner = build_replay(run, task, config.train, config.seed, restored=True)
    start = learner.step
    steps = min(config.train.save_every, config.train.steps - start)
    measuring(f"up to {steps} steps behind step {start}, taken again")
    losses = take(learner, steps)
    if len(losses) < steps:
        seen.origin = origin(learner)
    # The record holds means over several steps, these are single ones.
    seen.losses = {step: loss for step, loss in seen.losses.items() if step <= start} | losses
    seen.steps = max(seen.steps, start + len(losses))


def look_at_checkpoint(run: Path, config: Config, task: Task, seen: Observations) -> None:
    """The splits, and the steps behind the last checkpoint."""
    learner = build_replay(run, task, config.train, config.seed, restored=True)
    measuring("the training and the validation split")
    (predicted, train), (predictions, validation) = (
        measure(
            task,
            learner.evaluated,
            split,
            learner.config.micro_batch,
            world=learner.world,
            seed=learner.seed,
            limit=-(-MEASURED // learner.config.micro_batch),
            bf16=learner.device.bf16,
        )
        for split in ("train", "validation")
    )
    baselines, seen.metric = task.baselines("validation"), next(iter(validation))
    seen.train, seen.validation = (summarise(found, baselines)[seen.metric] for found in (train, validation))
    seen.faults = task.faults(predictions) if isinstance(task, FindsFaults) else []
    before, after = (sample(task.data(split), config) for split in ("train", "validation"))
    seen.shifts = shifts(before, after)
    if predictions.keys() >= {"logits", "y"}:
        labels = before.get("y", predicted["y"].numpy()).astype(int)
        logits = predictions["logits"].double().numpy()
        names = class_names(task, logits.shape[1])
        seen.labels = inspect(labels, logits, predictions["y"].numpy(), names)
    measuring("gradients and the waiting for data")
    seen.layers = layers(learner, WATCHED)
    with suppress(Diverged):
        seen.data_share = data_share(learner, TIMED)


def sample(examples: Examples, config: Config) -> dict[str, np.ndarray]:
    """The features of some examples of a split."""
    rng = np.random.default_rng(derive_seed(config.seed, "diagnose"))
    chosen = np.sort(rng.permutation(len(examples))[:COMPARED])
    size = config.train.micro_batch
    parts = [columns(examples.batch(chosen[i : i + size], None)) for i in range(0, len(chosen), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def try_rates(run: Path, config: Config, task: Task) -> dict[float, float]:
    """The losses of short runs at a tenth of the rate, at the rate, at ten times it, and on while the loss falls."""
    measuring("short runs at other learning rates")
    rate, losses, powers = config.train.learning_rate, dict[int, float](), [0, -1, 1]
    while powers:
        for power in powers:
            train = replace(config.train, learning_rate=rate * 10.0**power)
            losses[power] = short_run(run, task, train, config.seed, SHORT)
        best = min(losses, key=losses.__getitem__)
        powers = [power for power in (best - 1, best + 1) if power not in losses and len(losses) < RATES]
    return {rate * 10.0**power: loss for power, loss in losses.items()}
