"""How a table of a person's own is laid out: what a run must know to read another one in the same way."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..core.files import write_atomically
from ..core.json_io import read_json
from .clock import wall_of
from .columns import Columns
from .grid import Grid
from .rows import shown
from .table import Names

LAYOUT = "table.json"
"""The file of a run with it."""


class Layout(NamedTuple):
    """What was found in the table that a run was trained on."""

    columns: Columns
    categories: dict[str, tuple[str, ...]]
    """The texts of each column that holds texts; "" among them where a cell was empty."""
    cycles: tuple[str, ...]
    """Of the calendar, those that are covariates."""
    grid: Grid
    season: int
    kind: str
    """integer, naive or aware, as the table writes its times."""
    zone: str
    """Of the clock on the wall; "" for one of which nothing is known."""
    format: str
    """As `--data.time-format`; "" for ISO 8601 and for integers."""
    ids: tuple[str, ...]
    """The series."""

    def wall(self, time: np.ndarray) -> np.ndarray:
        """Times of a table by the clock on the wall."""
        return wall_of(time, self.zone)

    def shown(self, time: np.ndarray) -> list[str]:
        """Times of a table as people write them: with the offset from UTC where the zone is known."""
        if not self.zone:
            return shown(time, self.kind)
        dates = pd.DatetimeIndex(time.astype("datetime64[ns]"), tz="UTC").tz_convert(self.zone)
        return [str(date) for date in dates]


def save_layout(layout: Layout, run: Path) -> None:
    """Keep it with a run, which is used where its data are not."""
    columns = layout.columns._asdict() | {"names": layout.columns.names._asdict()}
    saved = layout._asdict() | {"columns": columns, "grid": layout.grid._asdict()}
    write_atomically(run / LAYOUT, json.dumps(saved, indent=1) + "\n")


def load_layout(run: Path) -> Layout:
    """That of a run.

    Raises:
        Problem: it is missing or damaged.
    """
    saved = read_json(run / LAYOUT, *Layout._fields)
    columns = saved.pop("columns")
    names = Names(**{field: tuple(of) for field, of in columns.pop("names").items()})
    return Layout(
        columns=Columns(**columns, names=names),
        categories={name: tuple(texts) for name, texts in saved.pop("categories").items()},
        grid=Grid(**saved.pop("grid")),
        cycles=tuple(saved.pop("cycles")),
        ids=tuple(saved.pop("ids")),
        **saved,
    )
