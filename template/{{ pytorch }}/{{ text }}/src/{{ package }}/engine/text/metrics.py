"""Bits per byte, and what is shown of a language model's predictions.

Bits per byte do not depend on the tokenizer, so models with different vocabularies, n-grams and compressors can be
compared on the same text.
"""

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..statistics.metrics import Metric
from .tokens import END, Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 120
"""Tokens of a document that a person is shown."""


def metrics(text: Text, predictions: dict[str, Tensor]) -> dict[str, Metric]:
    """Bits per byte, with documents as the independent examples, and the loss in nats per token.

    `predictions` hold `tokens` and `nats`, (windows, context): each predicted token and -ln of its probability. The
    marker of a text's end costs bits and stands for no byte.
    """
    tokens, nats = predictions["tokens"].flatten().numpy(), predictions["nats"].flatten().double().numpy()
    ends = tokens == text.tokenizer.token_to_id(END)
    document = np.cumsum(ends) - ends
    bits = np.bincount(document, nats) / math.log(2)
    sizes = np.bincount(document, text.token_bytes()[tokens])
    rate = bits.sum() / sizes.sum()
    # The ratio of two sums, linearised: each document's share in it, with the ratio itself as their mean.
    shares = rate + (bits - rate * sizes) / sizes.mean()
    return {
        "bits_per_byte": Metric(float(rate), torch.from_numpy(shares)),
        "nats_per_token": Metric(float(nats.mean()), None),
    }


def figure(predictions: dict[str, Tensor]) -> "Figure":
    """How the loss falls as more of the context is seen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    nats = predictions["nats"].mean(0).numpy()
    # Positions 1, 2, 3-4, 5-8 and so on: the more context, the less a single token of it changes.
    edges = [0, *(2**k for k in range(len(nats).bit_length()) if 2**k < len(nats)), len(nats)]
    means = [nats[start:stop].mean() for start, stop in pairwise(edges)]
    axes.plot(edges[1:], means, marker="o")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="tokens of context, at most", ylabel="nats per token", title="What the context is worth")
    axes.grid(alpha=0.3)
    return figure


def beginning(text: Text, index: int) -> str:
    """How the validation document begins."""
    tokens = text.tokens("validation")
    ends = np.flatnonzero(tokens == text.tokenizer.token_to_id(END))
    start, end = ([-1, *ends.tolist(), len(tokens)][index + side] for side in (0, 1))
    return text.tokenizer.decode(tokens[start + 1 : min(start + 1 + SHOWN, end)].tolist())
