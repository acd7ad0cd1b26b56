"""The command `predict`."""

from dataclasses import dataclass
from pathlib import Path

from ..core.errors import Problem
from ..core.files import save_figure, write_atomically


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Continue the series of a trained run from where its validation split ends."""

    run: str | None = None
    """The run folder; the latest where none is named."""
    steps: int | None = None
    """Rows to forecast; as many as the run was measured on unless it is given."""
    out: Path = Path("forecast.csv")
    """The table to write; a plot goes beside it, as .png."""

    def __call__(self) -> None:
        from ...predict import known_rows, load
        from ...presets import Config
        from ..core.runs import find, load_config
        from ..series.figures import continued

        run = find(self.run)
        table = known_rows(load_config(run, Config))
        found = load(run).forecast(table, self.steps)
        picture = self.out.with_suffix(".png")
        try:
            write_atomically(self.out, "\n".join(found.lines()) + "\n")
            save_figure(continued(table, found.time, found.values, found.quantiles), picture)
        except OSError as error:
            raise Problem(f"cannot write {self.out}: {error.strerror or error}") from None
        series, steps, targets = found.values.shape
        print(f"{self.out}, {picture}: {steps} steps of {series} series with {targets} target{'s'[: targets - 1]}")
