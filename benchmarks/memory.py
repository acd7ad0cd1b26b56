"""Forward and backward of the long-term memory against titans-pytorch, at the same shapes: time, peak memory, accuracy.

The peer writes token by token at `chunk_size=1`, with gradients at the memory of each 64th token: the mathematics of
ours with chunks of 64. Its README's setting, `chunk_size=64`, takes one step for a whole chunk, with every gradient at
the first memory: four fifths of the products, and other mathematics. Each is measured in a process of its own, since
the peak is the process's.
"""

import copy
import importlib
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

HEADS, CHANNELS, EXPANSION, CHUNK = 6, 64, 4, 64
WIDTH = HEADS * CHANNELS
STEPS = 5
PEER = "titans-pytorch, chunk_size "
"""What the peer is called, before its setting."""


class Found(NamedTuple):
    """Of one forward and backward pass in float32."""

    seconds: float
    peak: int
    """Bytes that the process grew by at most."""
    error: float
    """Of the answers against the same in float64, relative."""


def ours() -> nn.Module:
    """The rendered memory, alone."""
    config = importlib.import_module("trm_titans_mag_demo.config").ModelConfig(
        vocab_size=1,
        length=1,
        width=WIDTH,
        heads=HEADS,
        d_ff=1,
        window=1,
        expansion=EXPANSION,
        chunk=CHUNK,
        causal=True,
    )
    backbone = importlib.import_module("trm_titans_mag_demo.model.titans_mag").TitansMAG(config)
    return backbone.blocks[0].mag.memory


def theirs(chunk: int) -> nn.Module:
    """The peer's, with the same perceptron for each head."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from titans_pytorch import NeuralMemory
    return NeuralMemory(
        dim=WIDTH,
        dim_head=CHANNELS,
        heads=HEADS,
        chunk_size=chunk,
        batch_size=CHUNK if chunk == 1 else None,
        default_model_kwargs={"depth": 2, "expansion_factor": float(EXPANSION)},
    )


def answers(memory: nn.Module, x: Tensor) -> Tensor:
    """What the tokens read."""
    return memory(x)[0]


def measure(name: str, tokens: int) -> Found:
    """In this process."""
    torch.manual_seed(0)
    memory = theirs(int(name.removeprefix(PEER))) if name.startswith(PEER) else ours()
    x, seconds = torch.randn(1, tokens, WIDTH), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(STEPS):
        started = time.perf_counter()
        answers(memory, x).square().mean().backward()
        seconds.append(time.perf_counter() - started)
    peak = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    with torch.no_grad():
        exact, rough = answers(copy.deepcopy(memory).double(), x.double()), answers(memory, x)
    return Found(statistics.median(seconds[1:]), peak, float((rough - exact).norm() / exact.norm()))


def compare(name: str, tokens: int) -> Found:
    """In a process of its own."""
    command = [sys.executable, str(Path(__file__)), name, str(tokens)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Found(**found)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))._asdict()))
