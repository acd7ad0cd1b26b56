"""The command `predict`."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Continue a table, or the series of a trained run from where its validation split ends."""

    table: Positional[Path | None] = None
    """A .csv or .parquet to continue, like the one that was trained on; the run's own series where none is named."""
    future: Path | None = None
    """A table with the known columns of the rows to forecast, where the first does not go on that far."""
    template: Path | None = None
    """Write the rows that --future takes, with empty cells to be filled in, to this .csv or .parquet, and stop."""
    run: str | None = None
    """The run folder; the latest where none is named."""
    steps: int | None = None
    """Rows to forecast; as many as the run was measured on unless it is given."""
    out: Path = Path("forecast.csv")
    """The .csv or .parquet to write; a plot goes beside it, as .png."""

    def __post_init__(self) -> None:
        if self.table is None and (self.future or self.template):
            raise Problem("--future and --template go with a table: predict TABLE --template FILE")

    def __call__(self) -> None:
        from ...predict import known_rows, load
        from ...presets import Config
        from ..core.files import save_figure
        from ..core.runs import find, load_config
        from ..series.figures import continued
        from ..series.files import write

        run = find(self.run)
        predictor = load(run)
        out = self.template or self.out
        picture = out.with_suffix(".png")
        try:
            if self.template:
                write(predictor.template(self.table or "", self.steps), out)
                print(f"{out}: fill in its empty cells, and name it with --future")
                return
            table = self.table or known_rows(load_config(run, Config))
            found = predictor.forecast(table, self.steps, future=self.future)
            write(found.frame(), out)
            save_figure(continued(found.table, found.time, found.values, found.quantiles), picture)
        except OSError as error:
            raise Problem(f"cannot write {out}: {error.strerror or error}") from None
        series, steps, targets = found.values.shape
        print(f"{out}, {picture}: {steps} steps of {series} series with {targets} target{'s'[: targets - 1]}")
