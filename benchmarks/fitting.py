"""Which bases can be trained how on which GPU, from the estimate of a rendered project of the Qwen family.

    python benchmarks/fitting.py PACKAGE [--check copier.yml | --write copier.yml]

PACKAGE is the project's package, installed or on PYTHONPATH. It prints a table, and below it what copier.yml refuses:
the GPUs on which a base and an adapter cannot be trained, even with one trajectory at a time. `--check` compares this
with the file's answer `too_large`, and `--write` puts it there.
"""

import argparse
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

LENGTH = 4096
"""Tokens of the longest trajectory, as in the preset `default`."""
MICRO_BATCHES = (1, 2, 4, 8)
ADAPTERS = ("qlora", "lora", "full")
GIB = 2**30
LINE = re.compile(r"^(too_large:\n(?: .*\n)*?  default: ).*$", re.MULTILINE)
"""Where copier.yml says what is refused, with all before it."""

Refused = dict[str, dict[str, list[str]]]
"""The GPUs that are too small, of each base and adapter."""


def table(package: str) -> dict[tuple[str, str], list[float]]:
    """The GiB that each base and adapter needs, for each of the micro-batches."""
    part = {name: importlib.import_module(f"{package}.{name}") for name in ("architectures", "config", "memory")}
    needed: dict[tuple[str, str], list[float]] = {}
    for base in part["architectures"].KNOWN:
        shape = part["architectures"].architecture(base)
        for adapter in ADAPTERS:
            model = part["config"].ModelConfig(base=base, adapter=adapter)
            needed[base, adapter] = [
                part["memory"].estimate(shape, model, training(part["config"], size)).needed / GIB
                for size in MICRO_BATCHES
            ]
    return needed


def training(config: Any, micro_batch: int) -> Any:
    """How it is trained: in 16 bits, with activation checkpointing."""
    return config.TrainConfig(
        batch=max(MICRO_BATCHES),
        micro_batch=micro_batch,
        length=LENGTH,
        precision="bf16",
        validate_every=1,
        save_every=1,
        episodes=0,
    )


def largest(needed: list[float], capacity: float) -> int:
    """The largest micro-batch that fits; 0 where none does."""
    return max((size for size, gib in zip(MICRO_BATCHES, needed, strict=True) if gib <= capacity), default=0)


def refused(needed: dict[tuple[str, str], list[float]], capacity: dict[str, float]) -> Refused:
    """Where not even the smallest micro-batch fits."""
    found: Refused = {}
    for (base, adapter), sizes in needed.items():
        found.setdefault(base, {})[adapter] = [gpu for gpu, size in capacity.items() if not largest(sizes, size)]
    return found


def show(needed: dict[tuple[str, str], list[float]], capacity: dict[str, float]) -> None:
    """Print the table; its cells say which micro-batch is the largest that fits."""
    print(f"| base | adapter | GiB with 1 x {LENGTH} tokens | {' | '.join(capacity)} |")
    print("|---" * (3 + len(capacity)) + "|")
    for (base, adapter), sizes in needed.items():
        cells = [str(largest(sizes, size) or "-") for size in capacity.values()]
        print(f"| {base} | {adapter} | {sizes[0]:.1f} | {' | '.join(cells)} |")


def stated(file: Path) -> Refused:
    """What a copier.yml refuses."""
    answer = yaml.safe_load(file.read_text(encoding="utf-8"))["too_large"]["default"]
    table: Refused = yaml.safe_load(answer)
    return table


def differences(there: Refused, measured: Refused) -> list[str]:
    """What is refused in one and not in the other."""
    old, new = (
        {(base, adapter, gpu) for base, adapters in table.items() for adapter, gpus in adapters.items() for gpu in gpus}
        for table in (there, measured)
    )
    verdicts = {True: "is refused and fits", False: "is offered and does not fit"}
    return [f"{' '.join(which[:2])} on {which[2]} {verdicts[which in old]}" for which in sorted(old ^ new)]


def write(file: Path, measured: Refused) -> None:
    """Put what was measured into a copier.yml, and change nothing else."""
    text, count = LINE.subn(lambda found: f"{found[1]}'{json.dumps(measured)}'", file.read_text(encoding="utf-8"))
    assert count == 1, f"{file} has no answer too_large whose default is one line"
    file.write_text(text, encoding="utf-8")


def main() -> None:
    """Print what was measured, and compare or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package")
    parser.add_argument("--check", type=Path, metavar="FILE", help="fail where this copier.yml says something else")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put what was measured into this copier.yml")
    options = parser.parse_args()
    capacity: dict[str, float] = importlib.import_module(f"{options.package}.fitting").CAPACITY
    needed = table(options.package)
    measured = refused(needed, capacity)
    show(needed, capacity)
    print(f"\nRefused:\n{json.dumps(measured)}")
    if options.write:
        write(options.write, measured)
    if options.check and (found := differences(stated(options.check), measured)):
        sys.exit(f"{options.check}: {'; '.join(found)}; write it anew with --write {options.check}")


if __name__ == "__main__":
    main()
