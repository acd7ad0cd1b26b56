"""What a trainer takes: trajectories, tokenized and masked, shown, and refused if they cannot be learned from."""

import sys
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from ..agent.chat_template import Example, encoded
from ..config import RunConfig
from ..core.errors import Problem
from ..models.loading import folder_of, load_tokenizer
from ..task import AgentTask
from .label_mask import histogram, refuse, shown, summary
from .trajectories import Data, of_run

EXAMPLES = 2
"""How many trajectories are shown before a training."""


class Prepared(NamedTuple):
    """All that a training needs besides the model."""

    data: Data
    base: Path
    """The folder of the base model."""
    tokenizer: PreTrainedTokenizerBase
    examples: dict[str, list[Example]]
    """Of each split."""


def prepare(config: RunConfig, agent_task: AgentTask, digest: str = "") -> Prepared:
    """Load, tokenize and mask the data, show what is learned of them, and refuse what cannot be.

    `digest` is that of a run's data, which may be others than today's code would make. Of the base, only the tokenizer
    is asked for.
    """
    data = of_run(digest, config.data, agent_task)
    base = folder_of(config.model.base, data.texts, weights=False)
    tokenizer = load_tokenizer(base)
    examples = {split: tokenized(tokenizer, data, split) for split in data.splits}
    for split in examples.values():
        refuse(split, config.train.length)
    show(tokenizer, examples["train"], config.train.length)
    return Prepared(data, base, tokenizer, examples)


def tokenized(tokenizer: PreTrainedTokenizerBase, data: Data, split: str) -> list[Example]:
    """The examples of a split."""
    examples = []
    for trajectory in data.splits[split]:
        try:
            examples.append(encoded(tokenizer, trajectory.messages, data.tools))
        except Problem as problem:
            raise Problem(f"trajectory {trajectory.id}: {problem}") from None
    return examples


def show(tokenizer: PreTrainedTokenizerBase, examples: list[Example], length: int) -> None:
    """Print the lengths, and of some trajectories what is supervised."""
    print(histogram([len(example.input_ids) for example in examples], length), file=sys.stderr)
    print(summary(examples), file=sys.stderr)
    print(f"supervised is what stands between >>> and <<< in these {min(EXAMPLES, len(examples))}:", file=sys.stderr)
    for example in examples[:EXAMPLES]:
        print(f"\n{shown(tokenizer, example)}\n", file=sys.stderr)
