"""Every claim of speed, measured in one run and printed as one table; `nox -s bench` installs what it needs.

A claim is a ratio within this run, to a named peer or to what the hardware can do. With `--write`, the table is added
to docs/benchmarks.md under the time and this machine's name.
"""

import argparse
import itertools
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

# As the rendered commands do, before PyTorch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import commands
import flagship
import language
import loops
import memory
import qwen
import torch

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
MARK = "<!-- newest first; nox -s bench -- --write adds here -->\n"
SMALL = 0.020
"""Steps shorter than this, in seconds, are held to an absolute overhead."""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str
    met: bool | None
    """None where nothing was promised."""

    def __str__(self) -> str:
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return f"| {self.what} | {self.measured} | {self.target} | {verdict} |"


def step_rows(package: str, preset: str, steps: int, turns: int) -> Iterator[Row]:
    """The trainer's step beside a bare loop's, Lightning's and Accelerate's."""
    subject = loops.Subject.of(package, preset, steps)
    found = loops.compare(subject, turns)
    bare = found["bare"][0]
    name = f"{package.removesuffix('_demo')} `{preset}`, {subject.device.precision}"
    yield Row(f"step of a bare loop: {name}", f"{1e3 * bare:.2f} ms", "", None)
    for loop, (step, extra) in list(found.items())[1:]:
        measured = f"{1e3 * step:.2f} ms, {1e6 * extra:+.0f} µs, {extra / bare:+.1%}"
        if loop != "ours":
            yield Row(f"… {loop}", measured, "", None)
        elif bare < SMALL:
            yield Row("… our trainer", measured, "at most +100 µs", extra <= 100e-6)
        else:
            yield Row("… our trainer", measured, "at most +3 %", extra <= 0.03 * bare)


def language_rows(turns: int) -> Iterator[Row]:
    """Our transformer against the GPT-2-shaped loop, as each runs by itself and in equal precision."""
    device = loops.Subject.of("transformer_demo", "smoke", 1).device
    fp32, bf16, compiled = language.Mode(), language.Mode(bf16=device.bf16), language.Mode(compiled=True)
    for mine, theirs in dict.fromkeys(
        [(compiled, fp32), (compiled, compiled), (fp32, fp32), (bf16, fp32), (bf16, bf16)]
    ):
        rate = language.compare(mine, theirs, turns)
        what = f"tokens/s, ours in {mine} against a nanoGPT-shaped loop in {theirs}"
        sizes = " and ".join(f"{size / 1e3:.0f}k" for size in rate.sizes)
        measured = f"{rate.ours:,.0f} against {rate.peer:,.0f}: {rate.ratio:.2f}× ({sizes} parameters)"
        yield Row(what, measured, "at least 1.0×, aim 1.2×", rate.ratio >= 1)


def utilisation_rows() -> Iterator[Row]:
    """The share of the matmul peak that training of the default transformer reaches where it is wider."""
    device = loops.Subject.of("transformer_demo", "default", 1).device
    precisions = dict.fromkeys([False, device.bf16])
    for width, bf16, compiled in itertools.product((256, 512), precisions, (False, True)):
        found = utilisation(width, type(device)(device.type, bf16=bf16), compiled)
        peak = f"of {found.matmul_peak / 1e9:,.0f} GFLOP/s"
        measured = f"{found.training_utilisation:.0%} {peak}"
        what = f"utilisation in training, width {width}, {language.Mode(bf16=bf16, compiled=compiled)}"
        yield Row(what, measured, "at least 50 %", found.training_utilisation >= 0.5)


def utilisation(width: int, device: Any, compiled: bool) -> Any:
    """The `Arithmetic` of the default transformer at a width, in heads of 32 features."""
    subject = loops.Subject.of("transformer_demo", "default", 1)
    model = replace(subject.config.model, width=width, heads=width // 32, kv_heads=width // 128, hidden=width * 11 // 4)
    config = replace(subject.config, model=model)
    speed = subject.module("profiling.step_timing")
    with closing(speed.build_probe(config.task(), config.train, 0, device)) as probe:
        network = torch.compile(probe.learner.model) if compiled else probe.learner.model
        return speed.arithmetic(probe, speed.forward(probe, config.train.micro_batch), speed.training(probe, network))


def memory_rows() -> Iterator[Row]:
    """The long-term memory, forward and backward, against titans-pytorch's: first at equal mathematics."""
    for chunk, tokens in ((1, 256), (memory.CHUNK, 1024)):
        ours, peer = (memory.compare(name, tokens) for name in ("ours", f"{memory.PEER}{chunk}"))
        speed, room = peer.seconds / ours.seconds, peer.peak / ours.peak
        times = f"{1e3 * ours.seconds:.0f} ms against {1e3 * peer.seconds:.0f} ms: {speed:.1f}×"
        sizes = f"{ours.peak / 2**20:.0f} MiB against {peer.peak / 2**20:.0f} MiB: {room:.1f}×"
        errors = f"relative error {ours.error:.0e} against {peer.error:.0e}"
        what = f"neural memory, forward and backward over {tokens} tokens, against {memory.PEER}{chunk}"
        yield Row(what, f"{times}; {sizes}; {errors}", "at least 3×, and less memory", speed >= 3 and room > 1)


def flagship_rows() -> Iterator[Row]:
    """The recursive model: inference, utilisation and compilation."""
    for length in (64, 256, 1024):
        found = flagship.pace(length)
        ratio = found.streamed / found.recomputed
        measured = f"{found.streamed:,.0f} against {found.recomputed:,.1f}: {ratio:.0f}×"
        what = f"tokens/s of the recursive `language` after {length}, in a stream against from the beginning"
        yield Row(what, measured, "more than 1×", ratio > 1)
    for preset in ("default", "language"):
        reached, precision = flagship.utilisation(preset)
        measured = f"{reached.training_utilisation:.0%} of {reached.matmul_peak / 1e9:,.0f} GFLOP/s"
        factor = f"{reached.training_factor:.2f}× its forward pass"
        what = f"utilisation in training of the recursive `{preset}` in {precision}, {factor}"
        yield Row(what, measured, "", None)
    speed = flagship.compilation("default")
    measured = f"{speed.eager_ms:.0f} ms against {speed.compiled_ms:.0f} ms: {speed.eager_ms / speed.compiled_ms:.2f}×"
    what = f"step of the recursive `default`, in eager mode against compiled without a break in {speed.seconds:.0f} s"
    yield Row(what, measured, "", None)


def tuning_rows(package: str, folder: Path, turns: int) -> Iterator[Row]:
    """Fine-tuning: our training beside a bare TRL script, packed rows beside padded batches."""
    (folder / package).mkdir()
    os.chdir(folder / package)  # each project's data lie in a folder of its own
    task = package.removesuffix("_demo")
    rate = qwen.against_bare(package, 10, turns)
    measured = f"{rate.first:,.0f} against {rate.second:,.0f}: {rate.ratio:.2f}×"
    what = f"tokens/s of fine-tuning on {task}, ours against a bare TRL script"
    yield Row(what, measured, "at least 0.97×", rate.ratio >= 0.97)
    for size, other in ((qwen.MICRO_BATCH, f"{qwen.MICRO_BATCH} padded trajectories"), (1, "one alone")):
        packed = qwen.against_rows_of_their_own(package, size, turns)
        measured = f"{packed.first:,.0f} against {packed.second:,.0f}: {packed.ratio:.2f}×"
        yield Row(f"… a packed row of {qwen.row_length(package):,} tokens against {other}", measured, "", None)
    wasted = qwen.waste(package)
    measured = f"{wasted.padding:.1%} (median {wasted.middle}, longest {wasted.longest} tokens)"
    yield Row(f"… padding in batches of {qwen.MICRO_BATCH}, where a packed row has none", measured, "", None)


def replay_rows(package: str, count: int) -> Iterator[Row]:
    """DB Bench: the expert's moves on one core, each task in a database of its own."""
    for name, url, aim in (("SQLite", "", 500), ("MariaDB", os.environ.get("DBBENCH_URL", ""), 60)):
        if url or name == "SQLite":
            found = qwen.database(package, url, count)
            measured = f"{found.episodes:,.0f}, {found.moves:,.0f} statements/s"
            yield Row(f"DB Bench tasks/s on {name}, gold replayed", measured, f"at least {aim}", found.episodes >= aim)


def household_rows(package: str, count: int) -> Iterator[Row]:
    """ALFWorld: the expert's moves."""
    for processes in (1, 2):
        found = qwen.household(package, processes, count)
        measured = f"{found.moves:,.0f}; with the games' beginnings {found.episodes:.1f} episodes/s"
        yield Row(f"ALFWorld steps/s, {processes} process{'es' * (processes > 1)}", measured, "", None)


def waiting_rows(folder: Path) -> Iterator[Row]:
    """What a person waits for."""
    copier, python = commands.copier_beside(), Path(sys.executable)
    ours, empty = commands.copies(copier, ROOT, folder)
    what = "`copier copy`, and from an empty template"
    ratio = ours / empty
    yield Row(
        what, f"{ours:.2f} s and {empty:.2f} s: {ratio:.2f}×", "at most 2.5×, 2.5 s", ratio <= 2.5 and ours <= 2.5
    )
    seconds = commands.help_seconds(python, "transformer_demo")
    yield Row("`--help`, without PyTorch", f"{seconds:.2f} s", "under 0.8 s", seconds < 0.8)
    seconds = commands.trained(copier, folder / "ours", python, folder)
    yield Row("copy to a trained transformer and its report", f"{seconds:.0f} s", "under 180 s", seconds < 180)


def test_rows(projects: list[Path]) -> Iterator[Row]:
    """The tests of each rendered project, two processes."""
    for project in projects:
        seconds = commands.tests(Path(sys.executable), project)
        yield Row(f"tests of {project.name.removesuffix('-demo')}", f"{seconds:.0f} s", "about 40 s", seconds <= 45)


def machine() -> str:
    """The processor, its cores and what runs on it."""
    name = str(torch.cpu.get_capabilities().get("cpu_name", platform.processor()))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "lightning", "accelerate", "copier"))
    return f"{name}, {torch.get_num_threads()} threads; Python {platform.python_version()}, {versions}"


def write(lines: list[str]) -> None:
    """Add a table to the page."""
    before, after = PAGE.read_text(encoding="utf-8").split(MARK)
    section = "\n".join(["", f"## {datetime.now():%Y-%m-%d %H:%M}", "", *lines, ""])
    PAGE.write_text(before + MARK + section + after, encoding="utf-8")


def main() -> None:
    """Measure, and print each row as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", nargs="+", type=Path, help="the rendered projects, installed in this environment")
    parser.add_argument("--write", action="store_true", help="add the table to docs/benchmarks.md")
    parser.add_argument("--only", help="run the parts whose name holds this word, such as memory or recursive")
    parser.add_argument("--quick", action="store_true", help="few turns, and nothing that takes minutes")
    options = parser.parse_args()
    turns = 2 if options.quick else 5
    projects = [project.resolve() for project in options.projects]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.chdir(folder)
        parts: dict[str, Callable[[], Iterator[Row]]] = {
            "step blank": lambda: step_rows("blank_demo", "default", 400, turns),
            "step transformer": lambda: step_rows("transformer_demo", "default", 30, turns),
            "language": lambda: language_rows(turns),
            "utilisation": utilisation_rows,
            "memory": memory_rows,
            "recursive": flagship_rows,
            "qwen tuning dbbench": lambda: tuning_rows("dbbench_demo", folder, turns),
            "qwen tuning alfworld": lambda: tuning_rows("alfworld_demo", folder, turns),
            "qwen playing dbbench": lambda: replay_rows("dbbench_demo", 200 if options.quick else 1000),
            "qwen playing alfworld": lambda: household_rows("alfworld_demo", 6 if options.quick else 48),
        }
        if not options.quick:
            parts |= {"waiting": lambda: waiting_rows(folder), "tests": lambda: test_rows(projects)}
        lines = [machine(), "", "| what | measured | target | |", "|---|---|---|---|"]
        print("\n".join(lines), flush=True)
        for name, part in parts.items():
            for row in part() if (options.only or "") in name else ():
                print(row, flush=True)
                lines.append(str(row))
    if options.write:
        write(lines)


if __name__ == "__main__":
    main()
