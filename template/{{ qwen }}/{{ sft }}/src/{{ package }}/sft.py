"""Supervised fine-tuning: TRL's SFTTrainer on rows that are tokenized and masked before it sees them.

The trainer gets tokens and labels, so that what is learned is decided in engine/agent/chat_template.py, where it can be
read, and not by a template that the trainer picks.
"""

from pathlib import Path

import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from .config import Config
from .engine.agent.chat_template import Example
from .engine.finetuning.label_mask import refuse_difference
from .engine.finetuning.preparation import Prepared
from .engine.finetuning.session import CHECKPOINTS
from .engine.models.loading import CHECKPOINTING, adapters, load_model, precision


def build(config: Config, run: Path, prepared: Prepared, first: bool) -> SFTTrainer:
    """The trainer; `first` measures the validation split before the first step too."""
    numbers = precision(config.train.precision)
    trainer = SFTTrainer(
        model=load_model(prepared.base, config.model, numbers),
        args=arguments(config, run, numbers, first),
        train_dataset=rows(prepared.examples["train"]),
        eval_dataset=rows(prepared.examples["validation"]),
        processing_class=prepared.tokenizer,
        peft_config=adapters(config.model),
    )
    refuse_difference(prepared.examples["train"], trainer.train_dataset["labels"])
    refuse_difference(prepared.examples["validation"], trainer.eval_dataset["labels"])
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
        warmup_steps=train.warmup_ratio,
        weight_decay=train.weight_decay,
        max_grad_norm=train.grad_clip,
        bf16=numbers == "bf16",
        fp16=numbers == "fp16",
        eval_strategy="steps",
        eval_steps=train.validate_every,
        eval_on_start=first,
        save_strategy="steps",
        save_steps=train.save_every,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,  # the bars are those of engine/finetuning/callbacks.py
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
