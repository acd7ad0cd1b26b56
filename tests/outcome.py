"""What a run ended with, and in what two runs differ."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch


class Result(NamedTuple):
    """Everything that a kill must not change."""

    weights: bytes
    checkpoint: list[torch.Tensor]
    """Every tensor of the last checkpoint's state: optimizer, moving average, the task's state between steps."""
    record: list[dict[str, Any]]
    """metrics.jsonl apart from the clock."""
    metrics: dict[str, Any]
    """As reported."""


def result(run: Path) -> Result:
    newest = max((run / "checkpoints").glob("step-*[0-9]"), key=lambda folder: int(folder.name.removeprefix("step-")))
    state = torch.load(newest / "state.pt", weights_only=True)
    tensors = [leaf for leaf in torch.utils._pytree.tree_leaves(state) if isinstance(leaf, torch.Tensor)]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    record = [{name: value for name, value in line.items() if not name.startswith("timing/")} for line in lines]
    reported = json.loads((run / "report" / "results.json").read_text())["metrics"]
    return Result((run / "model.safetensors").read_bytes(), tensors, record, reported)


def differences(run: Path, other: Path) -> list[str]:
    """What is not equal to the bit."""
    one, two = result(run), result(other)
    assert len(one.checkpoint) > 50, "the optimizer and the moving average are not in the checkpoint"
    pairs = zip(one.checkpoint, two.checkpoint, strict=False)
    equal = {
        "weights": one.weights == two.weights,
        "checkpoint": len(one.checkpoint) == len(two.checkpoint) and all(torch.equal(a, b) for a, b in pairs),
        "record": one.record == two.record,
        "metrics": one.metrics == two.metrics,
    }
    return [f"the {name} differs" for name, same in equal.items() if not same]
