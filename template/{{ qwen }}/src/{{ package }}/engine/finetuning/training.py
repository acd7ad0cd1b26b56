"""A training from its first step, or from its last whole checkpoint, to the model that it leaves.

The owner's trainer takes the steps. Its checkpoints hold weights, optimizer, schedule and generators; from the last
whole one, a run is resumed with the same bits.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets.utils.logging import disable_progress_bar
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, Trainer
from transformers.utils.logging import disable_progress_bar as disable_other_bars

from ..agent.generation import Transformers, Writing
from ..agent.rollout import play, won
from ..config import RunConfig
from ..core.errors import Interrupted
from ..core.files import write_atomically
from ..core.runs import load_environment
from ..core.signals import Signals
from ..core.tracking import Tracker, read
from ..memory.fit import at_once
from ..models import merging
from ..models.loading import folder_of, recompute, train_in_fp32
from ..task import AgentTask
from . import checkpoints
from .callbacks import Finite, Play, Record, Schedule, Stop, progress
from .label_mask import unigram_baseline
from .preparation import Prepared, prepare
from .session import ADAPTER, CHECKPOINTS, MODEL, OUTCOME, RECORD

Build = Callable[[Any, Path, Prepared, bool], Trainer]
"""Makes the owner's trainer of a configuration, for a run; the last argument says whether the run begins."""
Player = Callable[[PreTrainedModel, PreTrainedTokenizerBase], dict[str, float]]
"""Plays validation tasks with a model."""


def train(config: RunConfig, agent_task: AgentTask, run: Path, build: Build) -> dict[str, float]:
    """Train into a run folder, from its last whole checkpoint if it has one, and save the model; what was measured.

    Raises:
        Interrupted: a signal asked to stop; everything is saved.
        Problem: the data cannot be learned from, the base cannot be had, the loss is not finite, or the disk is full.
    """
    # A folder that session.opened did not make has no environment; its data are today's.
    environment = load_environment(run) if (run / "environment.json").exists() else {"data": ""}
    prepared = prepare(config, agent_task, environment["data"])
    prepared = prepared._replace(base=folder_of(config.model.base, prepared.data.texts))
    checkpoint = checkpoints.latest(run / CHECKPOINTS)
    if checkpoint is None or not checkpoints.finished(checkpoint, config.train.steps):
        for name in (MODEL, ADAPTER):  # of a run that is trained longer, or once more from an earlier step
            shutil.rmtree(run / name, ignore_errors=True)
        player = player_of(config, agent_task, prepared.base)
        labels = {name: environment.get(name) for name in ("name", "tags")}
        fit(config, run, prepared, checkpoint, build, player, labels)
    facts = outcome(run, prepared)
    write_atomically(run / OUTCOME, json.dumps(facts, indent=2) + "\n")
    save(config, run, prepared)
    return facts


def fit(
    config: RunConfig,
    run: Path,
    prepared: Prepared,
    checkpoint: Path | None,
    build: Build,
    player: Player | None,
    labels: dict[str, Any],
) -> None:
    """Take the steps after a checkpoint, up to the last, which leaves a checkpoint too; trackers show the `labels`."""
    if checkpoint is None:
        # The validation before the first step is measured again: it draws random numbers.
        (run / RECORD).unlink(missing_ok=True)
    trainer = built(config, run, prepared, checkpoint is None, build)
    with (
        Signals() as signals,
        closing(Tracker(run, asdict(config) | labels, checkpoints.step_of(checkpoint))) as tracker,
        checkpoints.saving_into(run / CHECKPOINTS),
    ):
        plays = None if player is None else playing(trainer, prepared.tokenizer, player)
        record = Record(tracker, plays, config.train.keep_every)
        for callback in (Schedule(), Finite(), record, Stop(signals)):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    if signals.received:
        raise Interrupted(signals.received, trainer.state.global_step)


def built(config: RunConfig, run: Path, prepared: Prepared, first: bool, build: Build) -> Trainer:
    """The owner's trainer, whose trained weights are in fp32, with bars or lines in place of its own printed logs."""
    disable_progress_bar()
    disable_other_bars()
    trainer = build(config, run, prepared, first)
    train_in_fp32(trainer.model)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(progress())
    return trainer


def player_of(config: RunConfig, agent_task: AgentTask, base: Path) -> Player | None:
    """Plays the first validation tasks, and says how many succeed; None where no episodes are asked for."""
    if not config.train.episodes:
        return None
    tasks = agent_task.generate(config.data.validation, config.data.seed, "validation")[: config.train.episodes]
    together = at_once(base, config.model, config.train)
    writing = Writing(length=config.train.length, tokens=config.train.tokens)

    def player(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
        policy = Transformers(model, tokenizer, writing)
        episodes = play(policy, tasks, agent_task, config.data.protocol, together, shown=True)
        return {"success": won(episodes), "rounds": sum(episode.rounds for episode in episodes) / len(episodes)}

    return player


def playing(trainer: Trainer, tokenizer: PreTrainedTokenizerBase, player: Player) -> Play:
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
    ignorant = unigram_baseline(*(prepared.examples[split] for split in ("train", "validation")))
    facts = {"loss of the tokens' frequencies": ignorant}
    for when, record in (("before", records[0]), ("after", records[-1])):
        facts |= {
            f"{name.removeprefix('validation/')} {when}": value
            for name, value in record.items()
            if name.startswith("validation/")
        }
    return facts


def save(config: RunConfig, run: Path, prepared: Prepared) -> None:
    """Write the model that `from_pretrained` loads, and the adapter where there is one.

    Both come from the last checkpoint, so a training that was killed here ends as any other.
    """
    checkpoint = checkpoints.latest(run / CHECKPOINTS)
    assert checkpoint is not None, "the last step leaves a checkpoint"
    with checkpoints.saving(run / MODEL):
        partial = merging.fresh(run / MODEL)
        if config.model.adapter == "full":
            merging.take(checkpoint, partial, "config.json", "model*.safetensors*")
        else:
            adapter = merging.fresh(run / ADAPTER)
            merging.take(checkpoint, adapter, "adapter_*")
            merging.complete(prepared.base, prepared.tokenizer, adapter, run / ADAPTER)
            merging.merge(prepared.base, run / ADAPTER, partial)
        merging.complete(prepared.base, prepared.tokenizer, partial, run / MODEL)
