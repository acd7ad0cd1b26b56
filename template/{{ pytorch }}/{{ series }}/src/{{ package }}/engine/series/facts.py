"""What a run keeps of its series: how they are scaled, and what their columns are called."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import Problem
from ..core.files import write_atomically
from ..core.json_io import finite, read_json
from .scaling import Scaler, by_series
from .table import Names, Table

FACTS = "series.json"
"""The file of a run with its facts."""


class Facts(NamedTuple):
    """What a model must know of its series before it sees one."""

    ids: tuple[str, ...]
    names: Names
    frequency: str
    season: int
    scaler: Scaler

    @property
    def covariates(self) -> int:
        """How many a step of the model is given."""
        return sum(map(len, (self.names.known, self.names.observed, self.names.static)))

    def scaler_of(self, table: Table) -> Scaler:
        """The scaler for the series of a table: by name as they were trained on, and others by the rows that are given.

        Raises:
            Problem: the table has other columns.
        """
        if table.names != self.names:
            raise Problem(f"the table has the columns {columns(table.names)}, and the run {columns(self.names)}")
        fresh = by_series(table, np.nanmean(self.scaler.level, 0))
        usual = np.nanmedian(self.scaler.scale, 0)
        fresh["scale"] = np.where(np.isnan(fresh["scale"]), usual, fresh["scale"])
        known = {name: place for place, name in enumerate(self.ids)}
        places = [known.get(name, -1) for name in table.ids]
        for number, place in enumerate(places):
            for name, values in fresh.items():
                if place >= 0:
                    values[number] = getattr(self.scaler, name)[place]
        nothing = np.full_like(fresh["scale"], np.nan)
        return self.scaler._replace(**fresh, naive=nothing, naive_rms=nothing)


def columns(names: Names) -> str:
    """All of them, for a person."""
    return ", ".join(name for part in names for name in part)


def facts_of(table: Table, scaler: Scaler) -> Facts:
    """The facts of the series that are trained on."""
    return Facts(table.ids, table.names, table.frequency, table.season, scaler)


def save_facts(facts: Facts, folder: Path) -> None:
    """Write them into a run; what is no number is null."""
    values = facts._asdict() | {
        "names": facts.names._asdict(),
        "scaler": {name: of.tolist() for name, of in facts.scaler._asdict().items()},
    }
    write_atomically(folder / FACTS, json.dumps(finite(values), indent=1) + "\n")


def load_facts(folder: Path) -> Facts:
    """Read them from a run.

    Raises:
        Problem: they are missing or damaged.
    """
    remedy = "restore it from a copy of the run, or train again"
    values: dict[str, Any] = read_json(folder / FACTS, remedy=remedy)
    try:
        names = Names(**{part: tuple(of) for part, of in values["names"].items()})
        scaler = Scaler(**{name: np.array(of, np.float64) for name, of in values["scaler"].items()})
        return Facts(tuple(values["ids"]), names, values["frequency"], values["season"], scaler)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Problem(f"{folder / FACTS} is damaged: {remedy}") from None
