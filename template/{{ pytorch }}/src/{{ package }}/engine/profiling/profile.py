"""What `profile` measures, writes and says: a page for the terminal, figures, operators, a trace, a memory snapshot."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from matplotlib.ticker import EngFormatter

from ..core.files import write_atomically
from ..core.runs import unused
from ..core.table import aligned
from ..task import Config
from ..training.device import Device, compiles, describe
from ..training.progress import measuring
from ..training.timing import count_parameters
from . import trace
from .bottleneck import Verdict, judge
from .figures import Compiled, Figures
from .step_timing import Probe, arithmetic, build_probe, compiled, forward, peak_memory_gb, training

PROFILES = Path("profiles")
SHOWN = 10
"""Operators on the page; operators.txt has all."""


def run(config: Config, device: Device) -> Iterator[str]:
    """Measure a preset, write the results into a new folder, and give the lines of the page."""
    folder = unused(PROFILES, config.preset)
    figures = measure(config, device, folder)
    verdict = judge(figures)
    found = asdict(figures) | {"verdict": asdict(verdict)}
    write_atomically(folder / "profile.json", json.dumps(found, indent=2) + "\n")
    yield from page(figures, (folder / "operators.txt").read_text(encoding="utf-8"), verdict)
    yield f"\n{folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}"


def measure(config: Config, device: Device, folder: Path) -> Figures:
    """All figures; the operators, the trace and the memory snapshot are written into `folder`."""
    cuda, micro_batch = device.type == "cuda", config.train.micro_batch
    with closing(build_probe(config.task(), config.train, config.seed, device)) as probe:
        model = probe.learner.model
        measuring("the forward pass")
        passes = {examples: forward(probe, examples) for examples in sorted({1, micro_batch})}
        measuring("training steps")
        eager = training(probe, model)
        network, comparison = compare(probe, config.train.compile)
        used = comparison.timing if isinstance(comparison, Compiled) else eager
        memory = peak_memory_gb(device)
        measuring("the device's limit: products of large matrices")
        reached = arithmetic(probe, passes[micro_batch], used)
        measuring("operators and memory")
        folder.mkdir(parents=True)
        events = trace.record(probe, network, folder / "trace.json.gz")
        if cuda:
            trace.memory_snapshot(probe, network, folder / "memory.pickle")
    write_atomically(folder / "operators.txt", trace.table(events, cuda))
    return Figures(
        machine=describe(device),
        device=device.type,
        precision=device.precision,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        unit=probe.learner.task.unit,
        parameters=count_parameters(model),
        forward=passes,
        training=used,
        eager=eager,
        compiled=comparison,
        memory_gb=memory,
        arithmetic=reached,
        # On MPS, the profiler sees what the host does and not what the GPU does.
        arithmetic_share=None if device.type == "mps" else trace.arithmetic_share(events, cuda),
        busy=trace.kernel_ms(events) / used.p50_ms if cuda else None,
        synchronisations=trace.synchronisations(events) if cuda else None,
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


def page(figures: Figures, operators: str, verdict: Verdict) -> Iterator[str]:
    """The lines that a person reads."""
    where = f"{figures.machine}, {figures.precision}, {figures.threads} threads, PyTorch {figures.torch}"
    yield f"{figures.config.preset}: {figures.parameters:,} parameters on {where}\n"
    yield from aligned(latencies(figures), "<28", ">12", ">12", ">12", ">8", ">14")
    yield ""
    yield from aligned(costs(figures), "<18", "<")
    yield f"\noperators, in {trace.STEPS} training steps"
    _, heading, _, *rows = operators.splitlines()
    yield from (line.rstrip() for line in [heading, *rows[:SHOWN]])
    yield f"\nverdict: {verdict.bound}"
    yield f"  {verdict.because}"
    yield from (f"  try: {advice}" for advice in verdict.advice)


def latencies(figures: Figures) -> Iterator[tuple[str, ...]]:
    """Latency and throughput."""
    yield "", "p50", "p95", "p99", "times", f"{figures.unit}/s"
    rows = [(f"forward, batch {examples}", timing) for examples, timing in figures.forward.items()]
    rows.append((f"training step, batch {figures.config.train.batch}", figures.training))
    for name, timing in rows:
        times = (f"{value:.2f} ms" for value in (timing.p50_ms, timing.p95_ms, timing.p99_ms))
        yield name, *times, str(timing.n), f"{timing.units_per_second:,.0f}"


def costs(figures: Figures) -> Iterator[tuple[str, str]]:
    """What a step waits for, takes and reaches."""
    memory, reached, unit = figures.memory_gb, figures.arithmetic, figures.unit.removesuffix("s")
    yield "waiting for data", f"{figures.training.data_share:.1%} of a training step"
    of = "allocated on the GPU" if figures.device == "cuda" else "resident, of the whole process since it started"
    yield "peak memory", "this system keeps no record" if memory is None else f"{memory:.2f} GB {of}"
    flop = EngFormatter("FLOP", places=1)
    yield "forward FLOPs", f"{flop(reached.forward_flops)} for each {unit}, {reached.source}"
    yield "matmul peak", f"{flop(reached.matmul_peak)}/s, measured now"
    shares = f"{reached.forward_utilisation:.1%} forward, {reached.training_utilisation:.1%} training"
    yield "utilisation", f"{shares}, which takes {reached.training_factor:.3g} times the FLOPs"
    compiled, eager, used = figures.compiled, figures.eager.p50_ms, figures.training.p50_ms
    if isinstance(compiled, Compiled):
        faster = f"{used:.2f} ms a step, {eager:.2f} ms without ({eager / used:.2f} times as fast)"
        compiled = f"{faster}; {compiled.seconds:.0f} s to compile, {compiled.graph_breaks} graph breaks"
    yield "torch.compile", compiled
