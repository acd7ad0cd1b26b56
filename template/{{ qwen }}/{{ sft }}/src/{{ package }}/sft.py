"""Supervised fine-tuning: TRL's SFTTrainer on rows that are tokenized and masked before it sees them.

The trainer gets tokens and labels, so that what is learned is decided in chat.py, where it can be read, and not by a
template that the trainer picks. Its checkpoints hold weights, optimizer, schedule and generators; from the last whole
one, a run goes on with the same bits.
"""

import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback
from transformers.utils.logging import disable_progress_bar as disable_other_bars
from trl import SFTConfig, SFTTrainer

from .config import Config
from .engine.agent.chat_template import Example, encoded
from .engine.agent.generation import Transformers, Writing
from .engine.agent.rollout import play
from .engine.core.errors import Interrupted, Problem
from .engine.core.files import write_atomically
from .engine.core.signals import Signals
from .engine.core.tracking import Tracker, read
from .engine.finetuning import checkpoints as saved
from .engine.finetuning.callbacks import Finite, Play, Progress, Record, Stop
from .engine.finetuning.label_mask import histogram, refuse, refuse_difference, shown, summary, unigram_floor
from .engine.finetuning.trajectories import Data, load
from .engine.memory.fit import at_once
from .engine.models import merging
from .engine.models.loading import (
    CHECKPOINTING,
    adapters,
    folder_of,
    load_model,
    load_tokenizer,
    precision,
    recompute,
    train_in_fp32,
)
from .tasks import generate

CHECKPOINTS = "checkpoints"
RECORD = "metrics.jsonl"
OUTCOME = "outcome.json"
"""What `train` returns, kept for the report."""
MODEL = "model"
"""The folder of a run with the trained model, as `from_pretrained` loads it."""
ADAPTER = "adapter"
"""The folder of a run with what was trained of it."""
EXAMPLES = 2
"""How many trajectories are shown before a training."""

Player = Callable[[PreTrainedModel, PreTrainedTokenizerBase], dict[str, float]]
"""Plays validation tasks with a model."""


class Prepared(NamedTuple):
    """All that a training needs besides the model."""

    data: Data
    base: Path
    tokenizer: PreTrainedTokenizerBase
    examples: dict[str, list[Example]]
    """Of each split."""


def train(config: Config, run: Path) -> dict[str, float]:
    """Train into a run folder, from its last whole checkpoint if it has one, and save the model; what was measured.

    Raises:
        Interrupted: a signal asked to stop; everything is saved.
        Problem: the data cannot be learned from, the base cannot be had, the loss is not finite, or the disk is full.
    """
    prepared = prepare(config)
    checkpoint = saved.latest(run / CHECKPOINTS)
    if checkpoint is None or not saved.finished(checkpoint):
        fit(config, run, prepared, checkpoint)
    facts = outcome(run, prepared)
    write_atomically(run / OUTCOME, json.dumps(facts, indent=2) + "\n")
    save(config, run, prepared)
    return facts


def fit(config: Config, run: Path, prepared: Prepared, checkpoint: Path | None) -> None:
    """Take the steps after a checkpoint, up to the last, which leaves a checkpoint too."""
    if checkpoint is None:
        # The validation before the first step is measured again: it draws random numbers.
        (run / RECORD).unlink(missing_ok=True)
    trainer = build(config, run, prepared, first=checkpoint is None)
    player = player_of(config, prepared.base)
    with (
        Signals() as signals,
        closing(Tracker(run, asdict(config), saved.step_of(checkpoint))) as tracker,
        saved.saving_into(run / CHECKPOINTS),
    ):
        record = Record(tracker, None if player is None else playing(trainer, prepared.tokenizer, player))
        for callback in (Finite(), record, Stop(signals)):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    if signals.received:
        raise Interrupted(signals.received, trainer.state.global_step)


def prepare(config: Config) -> Prepared:
    """Load, tokenize and mask the data, show what is learned of them, and refuse what cannot be."""
    data = load(config.data)
    base = folder_of(config.model.base, data.texts)
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


def build(config: Config, run: Path, prepared: Prepared, first: bool) -> SFTTrainer:
    """The trainer; `first` measures the validation split before the first step too."""
    numbers = precision(config.train.precision)
    model = load_model(prepared.base, config.model, numbers)
    disable_progress_bar()
    disable_other_bars()
    trainer = SFTTrainer(
        model=model,
        args=arguments(config, run, numbers, first),
        train_dataset=rows(prepared.examples["train"]),
        eval_dataset=rows(prepared.examples["validation"]),
        processing_class=prepared.tokenizer,
        peft_config=adapters(config.model),
    )
    train_in_fp32(trainer.model)
    refuse_difference(prepared.examples["train"], trainer.train_dataset["labels"])
    refuse_difference(prepared.examples["validation"], trainer.eval_dataset["labels"])
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Progress())
    return trainer


def arguments(config: Config, run: Path, numbers: str, first: bool) -> SFTConfig:
    """The trainer's settings. Its limit of length is off unless it packs, where it is the length of a row."""
    train = config.train
    return SFTConfig(
        output_dir=str(run / CHECKPOINTS),
        num_train_epochs=train.epochs,
        max_steps=train.steps or -1,
        per_device_train_batch_size=train.micro_batch,
        per_device_eval_batch_size=train.micro_batch,
        gradient_accumulation_steps=train.batch // train.micro_batch,
        max_length=train.length if train.packing else None,
        packing=train.packing,
        eval_packing=False,
        learning_rate=train.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=train.warmup,
        weight_decay=train.weight_decay,
        max_grad_norm=train.clip,
        bf16=numbers == "bf16",
        fp16=numbers == "fp16",
        eval_strategy="steps",
        eval_steps=train.validate_every,
        eval_on_start=first,
        save_strategy="steps",
        save_steps=train.save_every,
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,  # the bars are those of callbacks.py
        seed=config.seed,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        **{CHECKPOINTING: train.activation_checkpointing},
    )


def rows(examples: list[Example]) -> Dataset:
    """Examples as the trainer takes them: it leaves labels that are there as they are."""
    return Dataset.from_dict(
        {"input_ids": [one.input_ids for one in examples], "labels": [one.labels for one in examples]}
    )


def player_of(config: Config, base: Path) -> Player | None:
    """Plays the first validation tasks, and says how many succeed; None where no episodes are asked for."""
    if not config.train.episodes:
        return None
    tasks = generate(config.data.validation, config.data.seed, "validation")[: config.train.episodes]
    together = at_once(config, base)
    writing = Writing(length=config.train.length, tokens=config.train.tokens)

    def player(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
        episodes = play(Transformers(model, tokenizer, writing), tasks, config.data.protocol, together, shown=True)
        return {
            "success": sum(episode.success for episode in episodes) / len(episodes),
            "rounds": sum(episode.rounds for episode in episodes) / len(episodes),
        }

    return player


def playing(trainer: SFTTrainer, tokenizer: PreTrainedTokenizerBase, player: Player) -> Play:
    """Play with the model as the trainer has it: without dropout, and without checkpointing, which has no cache."""

    def play() -> dict[str, float]:
        model = trainer.model
        training, checkpointing = model.training, trainer.args.gradient_checkpointing
        model.eval()
        if checkpointing:
            recompute(model, False)
        values = player(model, tokenizer)
        if checkpointing:
            recompute(model, True)
        model.train(training)
        return values

    return play


def outcome(run: Path, prepared: Prepared) -> dict[str, float]:
    """The figures of the first and the last validation, and the loss of a model that ignores what it reads."""
    records = [record for record in read(run / RECORD) if "validation/loss" in record]
    facts = {"loss of the tokens' frequencies": unigram_floor(*(prepared.examples[s] for s in ("train", "validation")))}
    for when, record in (("before", records[0]), ("after", records[-1])):
        facts |= {
            f"{name.removeprefix('validation/')} {when}": value
            for name, value in record.items()
            if name.startswith("validation/")
        }
    return facts


def save(config: Config, run: Path, prepared: Prepared) -> None:
    """Write the model that `from_pretrained` loads, and the adapter where there is one.

    Both come from the last checkpoint, so a training that was killed here ends as any other.
    """
    checkpoint = saved.latest(run / CHECKPOINTS)
    assert checkpoint is not None, "the last step leaves a checkpoint"
    with saved.saving(run / MODEL):
        partial = merging.fresh(run / MODEL)
        if config.model.adapter == "full":
            merging.take(checkpoint, partial, "config.json", "model*.safetensors*")
        else:
            adapter = merging.fresh(run / ADAPTER)
            merging.take(checkpoint, adapter, "adapter_*")
            merging.complete(prepared.base, prepared.tokenizer, adapter, run / ADAPTER)
            merging.merge(prepared.base, run / ADAPTER, partial)
        merging.complete(prepared.base, prepared.tokenizer, partial, run / MODEL)
