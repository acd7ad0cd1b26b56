"""The fields of the data and the model, with what each may be."""

from dataclasses import dataclass
from typing import Literal

from .engine.core.errors import Problem
from .engine.series.config import SeriesConfig
from .engine.series.table import Shape

Cell = Literal["lstm", "gru", "minlstm"]


@dataclass(frozen=True, kw_only=True)
class DataConfig(SeriesConfig):
    """Which series, how far they are forecast, and from how much."""

    source: Literal["mackey-glass", "seasonal"] = "mackey-glass"
    """Where no path is named. mackey-glass: a chaotic series without noise; seasonal: daily sales of eight shops. Both
    are made here."""
    context: int = 64
    """Steps that the model takes before it forecasts, and of a window in training."""
    horizon: int = 84
    """Rows that are forecast."""
    reported: tuple[int, ...] = (17,)
    """Steps ahead whose error is reported, where they are forecast, beside that of the last one."""
    paths: int = 100
    """Paths that are drawn of each forecast, where the model's head knows its doubt."""
    stride: int = 4
    """Rows between two forecasts that are measured."""
    validation: float = 0.15
    """Share of all rows, behind those for training."""
    test: float = 0.15
    """Share of all rows, at the end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("context", "horizon", "paths", "stride"):
            if getattr(self, name) < 1:
                raise Problem(f"--data.{name} {getattr(self, name)} must be at least 1")
        if min(self.reported, default=1) < 1:
            raise Problem(f"--data.reported {self.reported} must be 1 or more")
        if min(self.validation, self.test) <= 0 or self.validation + self.test >= 1:
            raise Problem(
                f"--data.validation {self.validation} and --data.test {self.test} must be above 0, and below 1 together"
            )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The recurrent network."""

    cell: Cell = "lstm"
    """minlstm: gates that do not see the state, so that all steps are computed at once."""
    head: Literal["point", "quantiles", "student"] = "point"
    """What is said of the next value: a number; quantiles, by the pinball loss; or Student's t, by its likelihood."""
    d_model: int = 64
    """Units of a layer."""
    layers: int = 1
    """Layers, each of which reads the one below."""
    lags: int = 0
    """Values of the past in each input, the last one included; 0 takes 1, and 20 for minlstm, which forgets sooner."""
    truncate: int = 0
    """Steps that the gradient goes back: a window is learned in pieces of so many, one in each optimizer step, and the
    state is carried from piece to piece; 0 learns it at once."""
    burn_in: int = 20
    """Steps at the beginning of a window that the loss leaves out: nothing is remembered yet."""
    dropout: float = 0.0
    """Probability of dropping a unit between two layers, and before the output, while training."""

    def __post_init__(self) -> None:
        for name in ("d_model", "layers"):
            if getattr(self, name) < 1:
                raise Problem(f"--model.{name.replace('_', '-')} {getattr(self, name)} must be at least 1")
        if min(self.lags, self.truncate, self.burn_in) < 0:
            raise Problem("--model.lags, truncate and burn-in must be 0 or a number above it")
        if not 0 <= self.dropout < 1:
            raise Problem(f"--model.dropout {self.dropout} must be at least 0 and below 1")

    @property
    def past(self) -> int:
        """Values of the past in each input."""
        return self.lags or (20 if self.cell == "minlstm" else 1)


def steps_reported(data: DataConfig) -> list[int]:
    """The steps ahead with a figure of their own."""
    return sorted({*(step for step in data.reported if step < data.horizon), data.horizon})


def shape(data: DataConfig, model: ModelConfig) -> Shape:
    """The rows of a window."""
    return Shape(model.past, data.context, data.horizon)
