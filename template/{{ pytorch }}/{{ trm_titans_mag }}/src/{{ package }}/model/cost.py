"""What the backbone costs: its parameters, and its floating-point operations, of which a multiply-add is two."""

from ..config import ModelConfig
from .neural_memory import pieces
from .titans_mag import band


def parameters(config: ModelConfig) -> int:
    """How many numbers the blocks of `titans_mag.py` train."""
    d, heads = config.width, config.heads
    block = 4 * d * d + config.persistent * d + 3 * d * config.d_ff
    projections = 3 * d * d + 3 * config.conv * d + 3 * heads * (d + 1)
    initial = 2 * config.expansion * d * d // heads + d
    gate = 2 * d
    return config.layers * (block + (projections + initial + gate) * config.memory)


def flops(config: ModelConfig) -> float:
    """Of one call over `config.length` tokens, for each of them.

        query, key, value, output     4 x 2 D D
        scores, weighted values       2 x 2 D for each key that a token sees, N of them persistent
        gate, up, down                3 x 2 D hidden
        memory                        as `memory_flops` counts

    Norms, rotations, the convolution and what else goes element by element are left out.
    """
    length, d = config.length, config.width
    keys = config.persistent + float(band(length, config.window, config.causal).sum()) / length
    memory = memory_flops(config) / length if config.memory else 0.0
    return config.layers * (8.0 * d * d + 4 * d * keys + 6 * d * config.d_ff + memory)


def memory_flops(config: ModelConfig) -> float:
    """Of a memory over the prefix and `config.length` tokens, with E = expansion x D.

    For each token:

        query, key, value, rates      3 x 2 D D + 2 D 3 H
        gradients                     3 x 2 C E
        reads, causal                 4 x 2 C E, and 2 (3 D + 2 E + H b) for each token of its chunk, b in all
        reads, not causal             2 x 2 C E
        last M and S of its chunk     4 x 2 C E; of the last chunk none, or 2 x 2 C E where not causal
    """
    d, heads, hidden = config.width, config.heads, config.expansion * config.width
    tokens, layer = config.persistent + config.length, 2.0 * (d // heads) * hidden
    chunks = pieces(0, tokens, config.chunk)
    both = tokens * (6 * d * d + 6 * d * heads + 3 * layer) + (tokens - chunks[-1]) * 4 * layer
    if not config.causal:
        return both + 2 * layer * (chunks[-1] + tokens)
    return both + 4 * layer * tokens + sum(2 * b * b * (3 * d + 2 * hidden + heads * b) for b in chunks)
