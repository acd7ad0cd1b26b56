"""The fields of the model, with what each may be. Put those of your own in their place."""

from dataclasses import dataclass

from .engine.core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the model. Replace them by those of your own."""

    width: int
    """Features of each hidden layer."""
    layers: int
    """Hidden layers."""
    dropout: float = 0.0
    """Probability of dropping a hidden feature while training."""

    def __post_init__(self) -> None:
        for name in ("width", "layers"):
            if getattr(self, name) < 1:
                raise Problem(f"--model.{name} {getattr(self, name)} must be at least 1")
        if not 0 <= self.dropout < 1:
            raise Problem(f"--model.dropout {self.dropout} must be at least 0 and below 1")
