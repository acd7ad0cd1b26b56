"""The part of a configuration that the engine reads: the data, the model, and how to train."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

from tyro.conf import arg

from .core.errors import Problem

TINY = ("tiny-qwen2", "tiny-qwen3")
"""Names of bases that are made on the spot: a few layers of the architecture with random weights."""


def require(name: str, value: object, holds: bool, what: str) -> None:
    """Refuse a value of an option that cannot be.

    Raises:
        Problem: it does not hold.
    """
    if not holds:
        raise Problem(f"--{name.replace('_', '-')} {value} must be {what}")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The tasks, and how an agent speaks with them."""

    protocol: Literal["functions", "text"] = "functions"
    """AgentBench's function calling, or the plain text of its version 0.2."""
    train: int
    """Tasks whose expert trajectories are trained on."""
    validation: int
    """Tasks that are looked at while training."""
    test: int
    """Tasks of the sealed test split."""
    seed: int = 0
    """Of the generator of tasks."""
    file: str | None = None
    """Trajectories of your own, .jsonl or .parquet, in place of the expert's; `train` does not count them."""
    benchmark: str | None = None
    """AgentBench's file or folder: evaluated on, and refused where a training task shares a part with it."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            require(f"data.{name}", getattr(self, name), getattr(self, name) >= 1, "at least 1")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The base model, and what is trained of it."""

    base: str
    """A name on the Hugging Face Hub, a folder, or tiny-qwen2 or tiny-qwen3: random, made on the spot."""
    adapter: Literal["qlora", "lora", "full"]
    """Low-rank adapters on a base in 4 bits, on a base in 16 bits, or all weights."""
    rank: int = 64
    """Of the adapters, which sit on all seven linear projections of a layer."""
    alpha: int = 128
    """The adapters' product is scaled by alpha / rank."""
    dropout: float = 0.0
    """Of the adapters' inputs."""

    def __post_init__(self) -> None:
        require("model.rank", self.rank, self.rank >= 1, "at least 1")
        require("model.alpha", self.alpha, self.alpha >= 1, "at least 1")
        require("model.dropout", self.dropout, 0 <= self.dropout < 1, "at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train."""

    epochs: float = 2.0
    """Passes over the training trajectories."""
    steps: int = 0
    """Optimizer steps instead; 0 goes by epochs."""
    batch: int = 16
    """Trajectories, or with packing rows of `length` tokens, in one optimizer step."""
    micro_batch: int = 1
    """Of them, how many in one forward pass. One keeps a GPU busy, and needs neither padding nor a mask for it."""
    length: int
    """Tokens of the longest trajectory that is taken. Nothing is cut: a longer one is an error."""
    packing: bool = False
    """Put several trajectories into one row; they do not see each other."""
    learning_rate: Annotated[float, arg(aliases=["--train.lr"])] = 1e-4
    """Peak learning rate of AdamW."""
    warmup_ratio: float = 0.05
    """Share of the steps over which it rises from zero; it falls to zero along a cosine afterwards."""
    weight_decay: float = 0.0
    """AdamW's decoupled weight decay."""
    grad_clip: float = 1.0
    """Largest norm of the whole gradient."""
    activation_checkpointing: bool = True
    """Compute activations a second time in the backward pass instead of keeping them."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """auto is bf16 on a GPU that has it, else fp16, and fp32 on a CPU. What is trained is fp32 in each."""
    validate_every: int
    """Steps between two validations."""
    save_every: int
    """Steps between two checkpoints, of which the last two are kept."""
    keep_every: int = 0
    """Keep those of every so many steps for good as well; 0 keeps none."""
    episodes: int
    """Validation tasks that are played at each validation; 0 measures the loss alone."""
    tokens: int = 512
    """Tokens of one message of the agent when it plays, at most."""

    def __post_init__(self) -> None:
        for name in ("batch", "micro_batch", "length", "validate_every", "save_every", "tokens"):
            require(f"train.{name}", getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("steps", "episodes", "keep_every", "learning_rate", "weight_decay"):
            require(f"train.{name}", getattr(self, name), 0 <= getattr(self, name) < math.inf, "0 or a number above it")
        require("train.epochs", self.epochs, 0 < self.epochs < math.inf, "a number above 0")
        require("train.warmup_ratio", self.warmup_ratio, 0 <= self.warmup_ratio < 1, "a share: at least 0 and below 1")
        require("train.grad_clip", self.grad_clip, self.grad_clip > 0, "above 0")
        multiple = self.batch % self.micro_batch == 0
        require("train.batch", self.batch, multiple, f"a multiple of the micro-batch, {self.micro_batch}")


@runtime_checkable
class RunConfig(Protocol):
    """What the engine reads of the owner's `Config`, which is a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def preset(self) -> str:
        """The name of the preset that it started from."""

    @property
    def seed(self) -> int:
        """Seed of the adapters' initial weights, the order of the data and the dropout."""

    @property
    def data(self) -> DataConfig: ...

    @property
    def model(self) -> ModelConfig: ...

    @property
    def train(self) -> TrainConfig: ...
