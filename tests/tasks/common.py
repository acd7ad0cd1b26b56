"""What the scripts beside this file share: a training with every feature of the engine turned on."""

import os
import sys
from pathlib import Path

import torch
from transformer_demo.engine.task import Task
from transformer_demo.engine.training.checkpoint import Identity
from transformer_demo.engine.training.config import TrainConfig
from transformer_demo.engine.training.device import Device
from transformer_demo.engine.training.parallel import world
from transformer_demo.engine.training.trainer import build_trainer


def train(task: Task, micro_batch: int) -> None:
    """Train into the folder that the command line names."""
    torch.set_num_threads(1)
    config = TrainConfig(
        steps=120,
        batch=16,
        micro_batch=micro_batch,
        learning_rate=1e-2,
        warmup_steps=5,
        ema=0.9,
        validate_every=30,
        validation_batches=2,
        save_every=16,
        log_every=1,
    )
    run = Path(sys.argv[1])
    run.mkdir(exist_ok=True)
    (run / "environment.json").write_text("{}", encoding="utf-8")
    with world("cpu") as processes:
        build_trainer(task, config, 0, run, Identity("", ""), Device("cpu", bf16=False), processes).fit({})
    if processes.size > 1:
        # At the interpreter's end, gloo's threads can abort a process that finished its work.
        os._exit(0)
