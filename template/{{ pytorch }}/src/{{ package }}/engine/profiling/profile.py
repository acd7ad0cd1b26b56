"""What `profile` measures, writes and says: a page for the terminal, profile.json, a trace and a memory snapshot."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..core.files import write_atomically
from ..core.runs import unused
from ..task import Config
from ..training.device import Device, compiles, describe
from ..training.progress import measuring
from ..training.timing import count_parameters
from . import trace
from .bottleneck import Figures, Verdict, fixed_share, judge
from .step_timing import (
    MEMORY,
    Arithmetic,
    Compiled,
    Probe,
    Timing,
    Training,
    arithmetic,
    build_probe,
    compiled,
    forward,
    training,
)
from .trace import Operator

PROFILES = Path("profiles")
SHOWN = 10
"""Operators on the page; profile.json has all."""


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

    name: str
    device: str
    precision: str
    threads: int
    torch: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Everything that was measured, as profile.json holds it."""

    preset: str
    machine: Machine
    unit: str
    parameters: int
    forward: dict[int, Timing]
    """By the number of examples in the batch."""
    training: Training
    """As `train` does it: compiled where it compiles."""
    eager: Training
    compiled: Compiled | str
    """Or why there is no figure."""
    arithmetic: Arithmetic
    operators: list[Operator]
    figures: Figures
    """What the verdict goes by."""
    verdict: Verdict
    config: Config


def run(config: Config, device: Device) -> Iterator[str]:
    """Measure a preset, write the results into a new folder, and give the lines of the page."""
    folder = unused(PROFILES, config.preset)
    profile = measure(config, device, folder)
    write_atomically(folder / "profile.json", json.dumps(asdict(profile), indent=2) + "\n")
    yield from page(profile)
    yield f"\n{folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}"


def measure(config: Config, device: Device, folder: Path) -> Profile:
    """All figures; the trace and the memory snapshot are written into `folder`."""
    with closing(build_probe(config.task(), config.train, config.seed, device)) as probe:
        learner = probe.learner
        measuring("the forward pass")
        passes = {examples: forward(probe, examples) for examples in sorted({1, config.train.micro_batch})}
        measuring("training steps")
        eager = training(probe, learner.model)
        network, comparison = compare(probe, config.train.compile)
        used = comparison.training if isinstance(comparison, Compiled) else eager
        measuring("the device's limit: products of large matrices")
        reached = arithmetic(probe, passes[config.train.micro_batch], used.timing)
        measuring("operators and memory")
        events, operators = watch(probe, network, folder)
    figures = conclude(config, device, passes, used, network is not learner.model, reached, events, operators)
    return Profile(
        preset=config.preset,
        machine=Machine(describe(device), device.type, device.precision, torch.get_num_threads(), torch.__version__),
        unit=learner.task.unit,
        parameters=count_parameters(learner.model),
        forward=passes,
        training=used,
        eager=eager,
        compiled=comparison,
        arithmetic=reached,
        operators=operators,
        figures=figures,
        verdict=judge(figures),
        config=config,
    )


def compare(probe: Probe, wish: str) -> tuple[Any, Compiled | str]:
    """The model as `train` calls it, and what a training step of it takes compiled, or why there is no figure."""
    model = probe.learner.model
    if not compiles(probe.learner.device, wish):
        return model, "not compared: --train.compile on does it, in a minute or more"
    measuring("training steps, compiled")
    network = torch.compile(model)
    measured = compiled(probe, network)
    return (network if isinstance(measured, Compiled) else model), measured


def conclude(
    config: Config,
    device: Device,
    passes: dict[int, Timing],
    used: Training,
    is_compiled: bool,
    reached: Arithmetic,
    events: Any,
    operators: list[Operator],
) -> Figures:
    """What the verdict goes by."""
    cuda, micro_batch = device.type == "cuda", config.train.micro_batch
    return Figures(
        device=device.type,
        bf16=device.bf16,
        compiled=is_compiled,
        num_workers=config.train.num_workers,
        micro_batch=micro_batch,
        data_share=used.data_share,
        busy=trace.kernel_ms(events) / used.timing.p50_ms if cuda else None,
        synchronisations=trace.synchronisations(events) if cuda else None,
        fixed_share=fixed_share(passes[1].p50_ms, passes[micro_batch].p50_ms, micro_batch),
        utilisation=reached.training_utilisation,
        # On MPS, the profiler sees what the host does and not what the GPU does.
        arithmetic_share=None if device.type == "mps" else trace.arithmetic_share(operators),
    )


def watch(probe: Probe, network: Any, folder: Path) -> tuple[Any, list[Operator]]:
    """Record a few steps, and write the trace and the snapshot: the profiler's sums, and the operators in them."""
    profiler = trace.record(probe, network)
    folder.mkdir(parents=True)
    profiler.export_chrome_trace(str(folder / "trace.json.gz"))
    if probe.learner.device.type == "cuda":
        trace.memory_snapshot(probe, network, folder / "memory.pickle")
    events = profiler.key_averages()
    return events, trace.operators(events, probe.learner.device.type == "cuda")


def page(profile: Profile) -> Iterator[str]:
    """The lines that a person reads."""
    machine = profile.machine
    where = f"{machine.name}, {machine.precision}, {machine.threads} threads, PyTorch {machine.torch}"
    yield f"{profile.preset}: {profile.parameters:,} parameters on {where}\n"
    yield from latencies(profile)
    yield ""
    yield from costs(profile)
    yield ""
    yield from operator_times(profile)
    yield f"\nverdict: {profile.verdict.bound}"
    yield f"  {profile.verdict.because}"
    yield from (f"  try: {advice}" for advice in profile.verdict.advice)


def latencies(profile: Profile) -> Iterator[str]:
    """Latency and throughput."""
    yield f"{'':28}{'p50':>12}{'p95':>12}{'p99':>12}{'times':>8}{profile.unit + '/s':>14}"
    rows = [(f"forward, batch {examples}", timing) for examples, timing in profile.forward.items()]
    rows.append((f"training step, batch {profile.config.train.batch}", profile.training.timing))
    for name, timing in rows:
        columns = "".join(f"{value:>9.2f} ms" for value in (timing.p50_ms, timing.p95_ms, timing.p99_ms))
        yield f"{name:28}{columns}{timing.n:>8}{timing.units_per_second:>14,.0f}"


def costs(profile: Profile) -> Iterator[str]:
    """What a step waits for, takes and reaches."""
    memory, unit = profile.training.memory_gb, profile.unit.removesuffix("s")
    yield row("waiting for data", f"{profile.training.data_share:.1%} of a training step")
    where = MEMORY[profile.machine.device]
    yield row("peak memory", f"no record {where}" if memory is None else f"{memory:.2f} GB {where}")
    reached = profile.arithmetic
    yield row("forward FLOPs", f"{quantity(reached.forward_flops)}FLOP for each {unit}, {reached.source}")
    yield row("matmul peak", f"{quantity(reached.matmul_peak)}FLOP/s, measured now")
    forward, training = reached.forward_utilisation, reached.training_utilisation
    times = f"{reached.training_factor:.3g} times the FLOPs"
    yield row("utilisation", f"{forward:.1%} forward, {training:.1%} training, which takes {times}")
    yield row("torch.compile", comparison(profile))


def row(name: str, what: str) -> str:
    """A figure beside its name."""
    return f"{name:20}{what}"


def quantity(value: float) -> str:
    """Three digits and the prefix of the unit that follows."""
    for prefix in ("", "k", "M", "G", "T"):
        if value < 1000:
            return f"{value:.3g} {prefix}"
        value /= 1000
    return f"{value:.3g} P"


def comparison(profile: Profile) -> str:
    """Eager against compiled."""
    if isinstance(profile.compiled, str):
        return profile.compiled
    eager, fast = profile.eager.timing.p50_ms, profile.compiled.training.timing.p50_ms
    cost = f"{profile.compiled.seconds:.0f} s to compile, {profile.compiled.graph_breaks} graph breaks"
    return f"{fast:.2f} ms a step, {eager:.2f} ms without ({eager / fast:.2f} times as fast); {cost}"


def operator_times(profile: Profile) -> Iterator[str]:
    """Where a training step's time goes."""
    title = {"cpu": "operator", "cuda": "operator, on the GPU", "mps": "operator, on the host"}[profile.machine.device]
    yield f"{title:60}{'share':>8}{'ms a step':>12}{'calls a step':>15}"
    for operator in profile.operators[:SHOWN]:
        yield f"{operator.name[:58]:60}{operator.share:>8.1%}{operator.ms:>12.2f}{operator.calls:>15.0f}"
