"""The Qwen family: fine-tuning beside a bare TRL script, packed beside padded, and how fast its tasks are played.

Everything goes through a rendered project, on a tiny random model where there is one, since the model's own arithmetic
is the same on both sides. Tokens are those of its tokenizer, which learned from the trajectories and cuts them into
more pieces than Qwen's.
"""

import io
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib import import_module
from math import comb
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

MICRO_BATCH = 4
"""Trajectories in one forward pass of a padded batch."""
BATCH = 8
"""Trajectories in one step of the optimizer."""
LIMIT = 2
"""Of the checkpoints that are kept, in both scripts."""


class Rate(NamedTuple):
    """Tokens a second of two ways to train, in turns."""

    first: float
    second: float
    ratio: float
    """Of the first to the second, the median over the turns."""

    @classmethod
    def of(cls, turns: Sequence[tuple[float, float]]) -> "Rate":
        """From both rates of each turn."""
        first, second = zip(*turns, strict=True)
        return cls(median(first), median(second), median(one / other for one, other in turns))


def row_length(package: str) -> int:
    """Tokens of a packed row, as the project has it for its task."""
    return int(import_module(f"{package}.config").LENGTH)


def config(package: str, steps: int, micro_batch: int = MICRO_BATCH, packing: bool = False) -> Any:
    """A training of the tiny model on all its weights, evaluated before its first step and after its last."""
    part = import_module(f"{package}.engine.config")
    return import_module(f"{package}.config").Config(
        preset="bench",
        data=part.DataConfig(protocol="text", train=64, validation=8, test=8),
        model=part.ModelConfig(base="tiny-qwen2", adapter="full"),
        train=part.TrainConfig(
            epochs=1,
            steps=steps,
            batch=BATCH,
            micro_batch=micro_batch,
            length=row_length(package),
            packing=packing,
            activation_checkpointing=False,
            precision="fp32",
            validate_every=max(1, steps),
            save_every=max(1, steps),
            episodes=0,
        ),
    )


def agent_task(package: str) -> Any:
    """What the project's engine is given of its tasks."""
    return import_module(f"{package}.tasks").AGENT_TASK


@cache
def prepared(package: str) -> Any:
    """The trajectories, the tiny model's folder and its tokenizer, and the tokens of the trajectories."""
    prepare = import_module(f"{package}.engine.finetuning.preparation").prepare
    with redirect_stderr(io.StringIO()):
        return prepare(config(package, 1), agent_task(package))


def lengths(package: str) -> list[int]:
    """Tokens of each training trajectory."""
    return [len(example.input_ids) for example in prepared(package).examples["train"]]


def ours(package: str, steps: int, micro_batch: int = MICRO_BATCH, packing: bool = False) -> float:
    """Tokens a second of the project's own `train`, by the clock and the count of the trainer that it builds."""
    train = import_module(f"{package}.engine.finetuning.training").train
    asked, built = config(package, steps, micro_batch, packing), list[Any]()

    def build(*given: Any) -> Any:
        built.append(import_module(f"{package}.sft").build(*given))
        return built[-1]

    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        train(asked, agent_task(package), Path(folder), build)
    log = built[-1].state.log_history
    return tokens_of(log) / next(entry["train_runtime"] for entry in log if "train_runtime" in entry)


def bare(package: str, steps: int) -> float:
    """The same of a script as TRL's documentation has it, given the same model, data and steps."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    known, asked = prepared(package), config(package, steps)
    rows = {
        split: Dataset.from_list([{"messages": one.messages} for one in known.data.splits[split]])
        for split in ("train", "validation")
    }
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        trainer = SFTTrainer(
            model=str(known.base),
            args=SFTConfig(
                output_dir=folder,
                max_steps=steps,
                per_device_train_batch_size=MICRO_BATCH,
                per_device_eval_batch_size=MICRO_BATCH,
                gradient_accumulation_steps=BATCH // MICRO_BATCH,
                max_length=row_length(package),
                learning_rate=asked.train.learning_rate,
                gradient_checkpointing=False,
                assistant_only_loss=True,
                bf16=False,
                eval_strategy="steps",
                eval_steps=steps,
                eval_on_start=True,
                save_steps=steps,
                save_total_limit=LIMIT,
                logging_steps=1,
                seed=asked.seed,
                use_cpu=True,
            ),
            train_dataset=rows["train"],
            eval_dataset=rows["validation"],
            processing_class=AutoTokenizer.from_pretrained(known.base),
        )
        seconds = trainer.train().metrics["train_runtime"]
        return tokens_of(trainer.state.log_history) / float(seconds)


def tokens_of(log: Sequence[dict[str, Any]]) -> float:
    """Tokens that a training has seen, from the trainer's log."""
    return max(float(entry.get("num_tokens", 0)) for entry in log)


def against_bare(package: str, steps: int, turns: int) -> Rate:
    """Our training and the bare script, in turns."""
    ours(package, 1), bare(package, 1)
    return Rate.of([(ours(package, steps), bare(package, steps)) for _ in range(turns)])


def against_rows_of_their_own(package: str, micro_batch: int, turns: int) -> Rate:
    """An epoch on packed rows, one at a time, and one on trajectories in rows of their own, in turns."""
    ours(package, 1)
    return Rate.of([(ours(package, 0, 1, packing=True), ours(package, 0, micro_batch)) for _ in range(turns)])


class Waste(NamedTuple):
    """What is computed for nothing."""

    padding: float
    """Share of the tokens of a padded batch that are padding, the mean over all orders of the trajectories."""
    longest: int
    middle: int


def waste(package: str, micro_batch: int = MICRO_BATCH) -> Waste:
    """The share of padding where the trajectories are drawn at random.

    Exact: of the sorted lengths, the k-th is the longest of a batch of m with probability C(k-1, m-1) / C(n, m).
    """
    ordered = sorted(lengths(package))
    ways = comb(len(ordered), micro_batch)
    longest = sum(size * comb(place, micro_batch - 1) / ways for place, size in enumerate(ordered))
    return Waste(1 - mean(ordered) / longest, ordered[-1], ordered[len(ordered) // 2])


class Played(NamedTuple):
    """Episodes of the expert, replayed."""

    episodes: float
    """A second."""
    moves: float
    """A second, without the time that the games take to begin."""


def database(package: str, url: str, count: int) -> Played:
    """DB Bench on SQLite, where `url` is empty, or on a server: a database a task, every one checked."""
    given = agent_task(package)
    known = [(task, given.expert(task)) for task in given.generate(count, 0, "train")]
    with given.environment(url) as environment:
        environment.reset(known[0][0])
        began, started = 0.0, time.perf_counter()
        for task, moves in known:
            before = time.perf_counter()
            environment.reset(task)
            began += time.perf_counter() - before
            for _, call in moves:
                environment.act(call)
            if not environment.success():
                raise RuntimeError(f"{task.id}: its expert does not succeed")
        seconds = time.perf_counter() - started
    return Played(count / seconds, sum(len(moves) for _, moves in known) / (seconds - began))


@cache
def ways(package: str, count: int) -> list[tuple[Any, list[Any]]]:
    """Households, and the commands of the expert in each."""
    given = agent_task(package)
    return [(task, [call for _, call in given.expert(task)]) for task in given.generate(count, 0, "train")]


def household(package: str, processes: int, count: int) -> Played:
    """ALFWorld, in so many processes: each plays one episode after the other, all beginning together."""
    known, began, moved = ways(package, count), 0.0, 0.0
    with agent_task(package).pool(processes) as pool:
        heeded(pool.reset({place: known[place][0] for place in range(processes)}))
        for start in range(0, count, processes):
            group = dict(enumerate(known[start : start + processes]))
            before = time.perf_counter()
            heeded(pool.reset({place: task for place, (task, _) in group.items()}))
            middle = time.perf_counter()
            for turn in range(max(len(moves) for _, moves in group.values())):
                heeded(pool.act({place: moves[turn] for place, (_, moves) in group.items() if turn < len(moves)}))
            began, moved = began + middle - before, moved + time.perf_counter() - middle
            if not all(pool.success(group).values()):
                raise RuntimeError(f"tasks from {start} on: their expert does not succeed")
    return Played(count / (began + moved), sum(len(moves) for _, moves in known) / moved)


def heeded(replies: dict[int, Any]) -> None:
    """Raise what a process of a pool answers in place of a reply."""
    for reply in replies.values():
        if isinstance(reply, Exception):
            raise reply
