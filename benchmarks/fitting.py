"""Which bases can be trained how on which GPU, from the estimate of a rendered project of the Qwen family.

    python benchmarks/fitting.py PACKAGE

PACKAGE is the project's package, installed or on PYTHONPATH. It prints a table, and below it as JSON what copier.yml
refuses: the GPUs on which a base and an adapter cannot be trained, even with one trajectory at a time.
"""

import importlib
import json
import sys
from typing import Any

LENGTH = 4096
"""Tokens of the longest trajectory, as in the preset `default`."""
MICRO_BATCHES = (1, 2, 4, 8)
ADAPTERS = ("qlora", "lora", "full")
GIB = 2**30


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


def main(package: str) -> None:
    """Print the table, and what is refused."""
    capacity: dict[str, float] = importlib.import_module(f"{package}.fitting").CAPACITY
    found = table(package)
    print(f"| base | adapter | GiB with 1 x {LENGTH} tokens | {' | '.join(capacity)} |")
    print("|---" * (3 + len(capacity)) + "|")
    for (base, adapter), needed in found.items():
        cells = [str(largest(needed, size) or "-") for size in capacity.values()]
        print(f"| {base} | {adapter} | {needed[0]:.1f} | {' | '.join(cells)} |")
    refused = {
        base: {
            adapter: [gpu for gpu, size in capacity.items() if not largest(needed, size)]
            for (other, adapter), needed in found.items()
            if other == base
        }
        for base, _ in found
    }
    print("\nThe cells say which micro-batch is the largest that fits. Refused:")
    print(json.dumps(refused, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
