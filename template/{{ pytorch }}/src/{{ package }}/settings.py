"""What the trainer can be told, and configurations as JSON."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from .errors import Problem

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train, whatever the model."""

    steps: int
    """Optimizer steps of the whole run."""
    batch: int
    """Examples in one optimizer step, over all micro-batches and processes."""
    micro_batch: int
    """Examples in one forward pass; smaller needs less memory and, without dropout, gives the same up to rounding."""
    learning_rate: float
    """Peak learning rate of AdamW."""
    warmup: int
    """Steps over which the learning rate rises from zero; it falls along a cosine afterwards."""
    final_learning_rate: float = 0.05
    """Where the cosine ends, as a fraction of the peak."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay of its two moments."""
    weight_decay: float = 0.1
    """AdamW's decoupled weight decay, on the parameters that the task does not exempt."""
    clip: float = 1.0
    """Largest norm of the whole gradient."""
    ema: float = 0.0
    """Decay of an exponential moving average of the weights, which is then what is evaluated; 0 is off."""
    validate_every: int
    """Steps between two validations; each also saves a checkpoint."""
    validation_batches: int
    """Micro-batches of the validation split that are measured while training; `evaluate` measures all."""
    save_every: int
    """Steps between two checkpoints."""
    patience: int = 0
    """Stop after this many validations without a new best; 0 never stops early."""
    log_every: int = 10
    """Steps between two records of the training loss."""
    workers: int = 0
    """Processes that prepare batches; any number gives the same batches."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; auto takes CUDA, then Apple's MPS, then the CPU."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto is bf16 autocast where the device has matrix units for it, else fp32."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile the model: auto does on CUDA. On a CPU, it needs a C++ compiler and takes half a minute."""

    def __post_init__(self) -> None:
        counts = ("steps", "batch", "micro_batch", "validate_every", "validation_batches", "save_every", "log_every")
        for name in counts:
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("warmup", "patience", "workers", "learning_rate", "final_learning_rate", "weight_decay"):
            self._require(name, 0 <= getattr(self, name) < math.inf, "0 or a number above it")
        self._require("clip", self.clip > 0, "above 0 (inf does not clip)")
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


def to_json(config: Any) -> str:
    """A configuration dataclass as indented JSON."""
    return json.dumps(dataclasses.asdict(config), indent=2)


def from_json(kind: type[T], text: str) -> T:
    """The configuration of type `kind` that `to_json` wrote.

    Raises:
        Problem: the text is not JSON, or its fields are not those of `kind`.
    """
    try:
        return _build(kind, json.loads(text))
    except (json.JSONDecodeError, TypeError, AttributeError) as error:
        raise Problem(f"the saved configuration does not fit this version of the code: {error}") from error


def _build(kind: type[T], values: dict[str, Any]) -> T:
    hints: dict[str, Any] = get_type_hints(kind)
    fields: dict[str, Any] = {}
    for name, value in values.items():
        hint = _dataclass_of(hints.get(name), value)
        if hint is not None:
            fields[name] = _build(hint, value)
        else:
            fields[name] = tuple(value) if isinstance(value, list) else value
    return kind(**fields)


def _dataclass_of(hint: Any, value: Any) -> Any:
    """The dataclass that wrote a value, if one did: of several, the one whose first field is as it is there."""
    kinds = [kind for kind in get_args(hint) or (hint,) if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
    if not isinstance(value, dict) or not kinds:
        return None
    if len(kinds) == 1:
        return kinds[0]
    for kind in kinds:
        first = dataclasses.fields(kind)[0]
        if value.get(first.name) == first.default:
            return kind
    raise TypeError(f"{value} is none of {', '.join(kind.__name__ for kind in kinds)}")


def differences(old: Any, new: Any) -> list[str]:
    """The fields in which two configurations differ, as `train.steps: 100, not 200`."""
    lines = []
    for field in dataclasses.fields(old):
        a, b = getattr(old, field.name), getattr(new, field.name)
        if dataclasses.is_dataclass(a) and type(a) is type(b):
            lines += [f"{field.name}.{line}" for line in differences(a, b)]
        elif a != b:
            lines.append(f"{field.name}: {a}, not {b}")
    return lines


def fingerprint(text: str | bytes | Path) -> str:
    """SHA-256, as hexadecimal, of a text, of bytes, or of what a file holds."""
    if isinstance(text, Path):
        with text.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()
