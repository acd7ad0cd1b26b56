"""Proof of what is learned, before anything is: lengths, the supervised text, and what an empty head would score."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from transformers import PreTrainedTokenizerBase

from ..agent.chat_template import IGNORED, Example
from ..core.errors import Problem

WIDTH = 40
"""Characters of the histogram's longest bar."""
BINS = 8
"""Its lines, if there are trajectories of every length."""


def refuse(examples: Sequence[Example], length: int) -> None:
    """Stop before a training that would learn nothing, everything, or trajectories that were cut.

    Raises:
        Problem: there is no example, one is longer than `length`, or one has nothing or everything supervised.
    """
    if not examples:
        raise Problem("there are no trajectories to train on: set --data.train above 0")
    longest = max(len(example.input_ids) for example in examples)
    if longest > length:
        over = sum(len(example.input_ids) > length for example in examples)
        raise Problem(
            f"{over} of {len(examples)} trajectories are longer than --train.length {length}, up to {longest} tokens, "
            f"and nothing is cut: set --train.length {longest} or more, or leave those tasks out"
        )
    for number, example in enumerate(examples):
        learned = sum(label != IGNORED for label in example.labels)
        if learned in (0, len(example.labels)):
            what = "nothing" if learned == 0 else "everything"
            raise Problem(f"{what} of trajectory {number} is supervised: the chat template marks no assistant's turns")


def refuse_difference(examples: Sequence[Example], rows: Sequence[Sequence[int]]) -> None:
    """Stop where what the trainer made of the examples does not hold every supervised token of theirs.

    `rows` are the labels of the trainer's rows. The first token of an example is the system's, and never counts.

    Raises:
        Problem: some were cut, dropped or added.
    """
    before, after = (
        Counter(label for row in labels for label in row if label != IGNORED)
        for labels in ([example.labels for example in examples], rows)
    )
    if before != after:
        raise Problem(
            f"of {before.total()} supervised tokens {after.total()} are left in the trainer's rows: "
            "set --train.length to the longest trajectory or more"
        )


def shown(tokenizer: PreTrainedTokenizerBase, example: Example) -> str:
    """A conversation as text, with `>>>` at the beginning of each stretch that is learned and `<<<` at its end."""
    return "".join(f">>>{text}<<<" if learned else text for learned, text in stretches(tokenizer, example))


def stretches(tokenizer: PreTrainedTokenizerBase, example: Example) -> Iterator[tuple[bool, str]]:
    """The text of an example, in stretches that are learned and stretches that are not."""
    pairs = zip(example.labels, example.input_ids, strict=True)
    for learned, group in groupby(pairs, key=lambda pair: pair[0] != IGNORED):
        yield learned, tokenizer.decode([token for _, token in group], clean_up_tokenization_spaces=False)


def summary(examples: Sequence[Example]) -> str:
    """How many tokens there are, and how many of them are learned."""
    tokens = sum(len(example.input_ids) for example in examples)
    learned = sum(label != IGNORED for example in examples for label in example.labels)
    return f"{len(examples)} trajectories, {tokens} tokens, {learned} of them supervised ({learned / tokens:.1%})"


def histogram(lengths: Sequence[int], limit: int) -> str:
    """The lengths of the trajectories in tokens, a line for each range, with the limit below them."""
    width = math.ceil((max(lengths) + 1) / BINS)
    counts = Counter(length // width for length in lengths)
    most = max(counts.values())
    lines = [
        f"{number * width:>7} to {(number + 1) * width - 1:>6}{counts[number]:>7}"
        f"{'  ' * (counts[number] > 0)}{'#' * math.ceil(WIDTH * counts[number] / most)}"
        for number in range(min(counts), max(counts) + 1)
    ]
    ordered = sorted(lengths)
    middle, late = ordered[len(ordered) // 2], ordered[math.ceil(0.95 * len(ordered)) - 1]
    return "\n".join([*lines, f"median {middle}, 95 % at most {late}, longest {ordered[-1]}, limit {limit} tokens"])


def unigram_baseline(train: Sequence[Example], held_out: Sequence[Example]) -> float:
    """Mean loss, in nats a supervised token, of predicting the frequencies of training everywhere, smoothed by one."""
    counts = Counter(label for example in train for label in example.labels if label != IGNORED)
    asked = [label for example in held_out for label in example.labels if label != IGNORED]
    kinds = len(counts.keys() | set(asked))
    total = counts.total() + kinds
    return -sum(math.log((counts[label] + 1) / total) for label in asked) / len(asked)
