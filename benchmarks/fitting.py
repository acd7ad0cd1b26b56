"""Which bases can be trained how on which GPU, from the estimate of a rendered project of the Qwen family.

    python benchmarks/fitting.py PACKAGE [--check copier.yml | --write copier.yml]

PACKAGE is the project's package, installed or on PYTHONPATH. It prints a table, and below it what copier.yml refuses:
the GPUs on which a base and an adapter cannot be trained with one trajectory of a task at a time. `--check` compares
this with the file's answer `too_large`, and `--write` puts it there.
"""

import argparse
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

LENGTHS = {"dbbench": 4096, "alfworld": 12288}
"""Tokens of each task's longest trajectory, as in the preset `default`."""
ADAPTERS = ("qlora", "lora", "full")
GIB = 2**30
LINE = re.compile(r"^(too_large:\n(?: .*\n)*?  default: ).*$", re.MULTILINE)
"""Where copier.yml says what is refused, with all before it."""

Needed = dict[tuple[str, str, str], float]
"""The GiB that a task, a base and an adapter need."""
Refused = dict[str, dict[str, dict[str, list[str]]]]
"""The GPUs that are too small, of each task, base and adapter."""


def table(package: str) -> Needed:
    """What each task, base and adapter needs."""
    architectures = importlib.import_module(f"{package}.engine.models.architectures")
    config = importlib.import_module(f"{package}.engine.config")
    memory = importlib.import_module(f"{package}.engine.memory.estimate")
    needed: Needed = {}
    for base in architectures.KNOWN:
        shape = architectures.architecture(base)
        for adapter in ADAPTERS:
            model = config.ModelConfig(base=base, adapter=adapter)
            for task in LENGTHS:
                found = memory.estimate(shape, model, training(config, task))
                needed[task, base, adapter] = found.needed / GIB
    return needed


def training(config: Any, task: str) -> Any:
    """How it is trained: one row of the task's length at a time, in 16 bits, with activation checkpointing."""
    return config.TrainConfig(
        length=LENGTHS[task],
        packing=task == "dbbench",  # as in the preset
        precision="bf16",
        validate_every=1,
        save_every=1,
        episodes=0,
    )


def refused(needed: Needed, capacity: dict[str, float]) -> Refused:
    """Where it does not fit."""
    found: Refused = {}
    for (task, base, adapter), gib in needed.items():
        found.setdefault(task, {}).setdefault(base, {})[adapter] = [gpu for gpu, size in capacity.items() if gib > size]
    return found


def show(needed: Needed, capacity: dict[str, float]) -> None:
    """Print the table; its cells name the smallest GPU that holds so many GiB."""
    print("| base | adapter |", *(f"{task}, {length} tokens |" for task, length in LENGTHS.items()))
    print("|---" * (2 + len(LENGTHS)) + "|")
    for base, adapter in dict.fromkeys((base, adapter) for _, base, adapter in needed):
        cells = [needed[task, base, adapter] for task in LENGTHS]
        print(f"| {base} | {adapter} |", *(f"{gib:.1f} ({smallest(gib, capacity)}) |" for gib in cells))


def smallest(gib: float, capacity: dict[str, float]) -> str:
    """The first GPU that holds so much."""
    return next((gpu for gpu, size in capacity.items() if gib <= size), "none")


def stated(file: Path) -> Refused:
    """What a copier.yml refuses."""
    answer = yaml.safe_load(file.read_text(encoding="utf-8"))["too_large"]["default"]
    table: Refused = yaml.safe_load(answer)
    return table


def differences(there: Refused, measured: Refused) -> list[str]:
    """What is refused in one and not in the other."""
    old, new = choices(there), choices(measured)
    verdicts = {True: "is refused and fits", False: "is offered and does not fit"}
    return [f"{' '.join(which[:3])} on {which[3]} {verdicts[which in old]}" for which in sorted(old ^ new)]


def choices(table: Refused) -> set[tuple[str, str, str, str]]:
    """Each task, base, adapter and GPU that is refused."""
    return {
        (task, base, adapter, gpu)
        for task, bases in table.items()
        for base, adapters in bases.items()
        for adapter, gpus in adapters.items()
        for gpu in gpus
    }


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
    capacity: dict[str, float] = importlib.import_module(f"{options.package}.engine.memory.fit").CAPACITY
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
