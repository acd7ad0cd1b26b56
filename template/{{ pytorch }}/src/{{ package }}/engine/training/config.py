"""What the trainer can be told."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from ..core.config_io import differences, fingerprint, from_json, to_json
from ..core.errors import Problem

__all__ = ["TrainConfig", "differences", "fingerprint", "from_json", "to_json"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train, whatever the model."""

    steps: int
    """Optimizer steps of the whole run."""
    batch: int
    """Examples in one optimizer step, over all micro-batches and processes."""
    micro_batch: int
    """Examples in one forward pass; smaller needs less memory and, without dropout, gives the same up to rounding."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """muon takes the hidden matrices, and AdamW the rest; another optimizer is a method of task.py."""
    learning_rate: Annotated[float, arg(aliases=["--train.lr"])]
    """Peak learning rate."""
    schedule: Literal["cosine", "wsd", "constant"] = "cosine"
    """What follows the warm-up: a cosine; stable, then a decay over the last fifth of the steps; or no change."""
    warmup_steps: int
    """Steps over which the learning rate rises from zero."""
    min_lr_ratio: float = 0.05
    """Where the schedule ends, as a fraction of the peak."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay of its two moments."""
    weight_decay: float = 0.1
    """AdamW's decoupled weight decay, on the parameters that the task does not exempt."""
    grad_clip: float = 1.0
    """Largest norm of the whole gradient."""
    ema: float = 0.0
    """Decay of an exponential moving average of the weights, which is then what is evaluated; 0 is off."""
    ema_warmup: bool = False
    """Let that decay rise with the updates n as (1 + n) / (10 + n), so that the average forgets the random start."""
    validate_every: int
    """Steps between two validations; each also saves a checkpoint."""
    validation_batches: int
    """Micro-batches of the validation split that are measured while training; `evaluate` measures all."""
    save_every: int
    """Steps between two checkpoints."""
    keep_every: int = 0
    """Keep the checkpoints of these steps for good; the last two and the best are kept anyway."""
    patience: int = 0
    """Stop after this many validations without a new best; 0 never stops early."""
    log_every: int = 10
    """Steps between two records of the training loss."""
    num_workers: int = 0
    """Processes that prepare batches; any number gives the same batches."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; auto takes CUDA, then Apple's MPS, then the CPU."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto is bf16 autocast where the device has matrix units for it, else fp32."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile the model: auto does on CUDA. On a CPU, it needs a C++ compiler and takes half a minute or more."""

    def __post_init__(self) -> None:
        counts = ("steps", "batch", "micro_batch", "validate_every", "validation_batches", "save_every", "log_every")
        for name in counts:
            self._require(name, getattr(self, name) >= 1, "at least 1")
        numbers = (
            "warmup_steps",
            "patience",
            "num_workers",
            "keep_every",
            "learning_rate",
            "min_lr_ratio",
            "weight_decay",
        )
        for name in numbers:
            self._require(name, 0 <= getattr(self, name) < math.inf, "0 or a number above it")
        whole = self.keep_every % self.save_every == 0 or self.keep_every % self.validate_every == 0
        self._require("keep_every", whole, f"a multiple of --train.save-every, {self.save_every}")
        self._require("grad_clip", self.grad_clip > 0, "above 0 (inf does not clip)")
        self._require("ema", 0 <= self.ema < 1, "at least 0 and below 1")
        self._require("betas", all(0 <= beta < 1 for beta in self.betas), "at least 0 and below 1")
        self._require("batch", self.batch % self.micro_batch == 0, f"a multiple of the micro-batch, {self.micro_batch}")

    def _require(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            raise Problem(f"--train.{name.replace('_', '-')} {getattr(self, name)} must be {what}")

    @property
    def micro_batches(self) -> int:
        """Forward passes in one optimizer step, over all processes."""
        return self.batch // self.micro_batch
