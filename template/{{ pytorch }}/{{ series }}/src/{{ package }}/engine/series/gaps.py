"""What is missing: rows of the grid, targets, covariates; named, and filled where that is asked for."""

import numpy as np

from ..core.errors import Problem
from .columns import Columns
from .grid import Grid, counted, told
from .rows import Rows, first_of, starts

WIDEST = 10
"""Rows of the grid for each row of the table: more are a mistake in a date."""


def trimmed(rows: Rows, targets: tuple[str, ...], said: list[str]) -> Rows:
    """Sorted rows from the first of each series that has a target to the last.

    Raises:
        Problem: none has one.
    """
    inside = between(rows, ~np.isnan(rows.values[list(targets)].to_numpy(np.float64)).all(1))
    if not inside.any():
        raise Problem(f"no row has a target ({', '.join(targets)}): there is nothing to learn from")
    return only(rows, inside, "before the first or after the last target of their series", said)


def between(rows: Rows, has: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a row is not before the first of its series that `has` is true of, nor after the last."""
    place = np.arange(len(has))
    count = len(rows.ids)
    first, last = np.full(count, len(has)), np.full(count, -1)
    np.minimum.at(first, rows.series[has], place[has])
    np.maximum.at(last, rows.series[has], place[has])
    return (place >= first[rows.series]) & (place <= last[rows.series])


def only(rows: Rows, kept: np.ndarray, why: str, said: list[str]) -> Rows:
    """These rows, where a line says what the others were, unless there are none."""
    if kept.all():
        return rows
    gone = len(set(rows.series.tolist()) - set(rows.series[kept].tolist()))
    series = f", {gone} series among them" if gone else ""
    said.append(f"left out: {counted(int((~kept).sum()), 'row')} {why}{series}")
    return rows.take(np.flatnonzero(kept))


def complete(rows: Rows, grid: Grid, place: np.ndarray, how: str, name: str, said: list[str]) -> Rows:
    """A row for each place of the grid from the first row of each series to its last; the new ones hold nothing.

    Raises:
        Problem: some are missing and nothing says what to make of that, or so many that a date must be wrong.
    """
    begin = np.flatnonzero(starts(rows.series))
    final = np.append(begin[1:], len(place)) - 1
    lengths = place[final] - place[begin] + 1
    missing = int(lengths.sum()) - len(place)
    if not missing:
        return rows
    steps = np.where(starts(rows.series), 1, np.diff(place, prepend=0))
    before = np.flatnonzero(steps > 1)
    series = f" in {len(set(rows.series[before].tolist()))} of {len(begin)} series" if rows.named else ""
    widest = int(steps.argmax())
    where = f" after {rows.at(before[0] - 1)}"
    if len(before) > 1:
        where = f", the first{where}, and {steps[widest] - 1:,} in a row after {rows.at(widest - 1)}"
    lacks = f"the grid of {told(grid)} lacks {counted(missing, 'row')}{series}{where}"
    if missing > WIDEST * len(place):
        raise Problem(f"{name}: {lacks}: more than {WIDEST} for each row that is there, so correct the dates")
    if how == "error":
        raise Problem(f"{name}: {lacks}{set_forward(rows, before)}: {CHOICES}")
    said.append(lacks)
    first = first_of(rows.series, rows.axis(grid))[begin]
    order = np.cumsum(starts(rows.series)) - 1
    source = np.full(int(lengths.sum()), -1)
    source[(np.cumsum(lengths) - lengths - place[begin])[order] + place] = np.arange(len(place))
    every = np.concatenate([np.arange(length) for length in lengths.tolist()])
    values = rows.values.reindex(source).reset_index(drop=True)
    codes = np.repeat(rows.series[begin], lengths)
    return rows._replace(series=codes, values=values).moved(grid, every, np.repeat(first, lengths))


CHOICES = "--data.gaps fill keeps the last ones, --data.gaps mask leaves them out of the loss and the measures"


def set_forward(rows: Rows, before: np.ndarray) -> str:
    """What may have happened where single rows are missing from a clock whose zone is not named, in words."""
    naive = rows.stamps.kind == "naive" and not rows.stamps.zone
    months = rows.stamps.wall[before].astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64) % 12
    hour = np.diff(rows.stamps.wall)[before - 1] <= 2 * 3600 * 10**9
    if naive and hour.all() and (np.isin(months, (2, 3)).all() or np.isin(months, (8, 9)).all()):
        return " (where a clock was set forward, name its zone by --data.zone)"
    return ""


def filled(rows: Rows, columns: Columns, how: str, name: str, said: list[str]) -> Rows:
    """Rows whose covariates hold a number each, and their targets too where gaps are filled.

    Raises:
        Problem: a value is missing, and nothing says what to make of that; or a column has none in a whole series.
    """
    values, targets = rows.values.copy(), columns.names.targets
    for column in values:
        missing = values[column].isna().to_numpy()
        if not missing.any():
            continue
        if how == "error":
            raise Problem(f"{name}: {lacking(rows, column, missing)}: {CHOICES}")
        if how == "fill" and column in columns.names.known and values[column].dtype.kind == "f":
            values[column] = interpolated(rows, column, missing)
        kept = values[column].groupby(rows.series).ffill()  # from the past alone: a forecast may begin in a gap
        if column not in targets:
            values[column] = kept
            continue
        said.append(f"{lacking(rows, column, missing)}: {'the last one is kept' if how == 'fill' else 'masked'}")
        if how == "fill":
            values[column] = values[column].where(~(missing & between(rows, ~missing)), kept)
    covariates = [column for column in values if column not in targets]
    begun = values[covariates].notna().all(axis=1).to_numpy()
    if not begun.any():
        raise Problem(f"{name}: no row has a value of each of {', '.join(covariates)}: leave out what is empty")
    return only(rows._replace(values=values), begun, "before the first value of a covariate", said)


def lacking(rows: Rows, column: str, missing: np.ndarray) -> str:
    """Where values of a column are missing, in words."""
    found = np.flatnonzero(missing)
    series = f" in {len(set(rows.series[found].tolist()))} series" if rows.named else ""
    return f'"{column}" lacks {counted(len(found), "value")}{series}, the first {rows.at(found[0])}'


def interpolated(rows: Rows, column: str, missing: np.ndarray) -> np.ndarray:
    """(N,) with what is missing inside a series on the line between its neighbours; what is outside stays missing."""
    values, place = rows.values[column].to_numpy(copy=True), np.arange(len(missing))
    inside = missing & between(rows, ~missing)
    if inside.any():
        values[inside] = np.interp(place[inside], place[~missing], values[~missing])
    return values
