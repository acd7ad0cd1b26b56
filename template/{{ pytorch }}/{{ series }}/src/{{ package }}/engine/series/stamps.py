"""The column of time: integers, dates that name an offset, or dates by a clock on the wall."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..core.errors import Problem
from .clock import at, resolved, wall_of

EPOCHS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds of the units that numbers may count since 1970."""
DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%b %d %Y", "%d %b %Y", "%b %d, %Y")
HOURS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
TRIED = 100
"""Dates that show whether a format is worth trying on all of them."""
COMPACT = {8: "%Y%m%d", 6: "%Y%m"}
"""What whole numbers of so many digits may be."""
ENOUGH = {"%Y%m%d": 32, "%Y%m": 13}
"""How many numbers make it certain: a counter would have left the days of a month, or the months of a year."""
YEARS = (1700, 2200)
"""Other years are taken for a mistake."""
OFFSET = r"Z$|:\d\d(?:\.\d+)?\s?[+-]\d\d(?::?\d\d)?$"
"""What a text of ISO 8601 ends with that names its offset from UTC."""


Row = Callable[[int], int]


class Stamps(NamedTuple):
    """When the rows are, in the order of the file."""

    wall: np.ndarray
    """(N,) int64: nanoseconds since 1970 by the clock on the wall, or an integer time."""
    time: np.ndarray
    """(N,) int64: nanoseconds since 1970 in UTC, or an integer time."""
    kind: str
    """integer, naive or aware: whether the table itself names offsets from UTC."""
    zone: str
    """Of the clock on the wall; "" for a clock of which nothing is known."""
    format: str
    """As `--data.time-format`; "" for ISO 8601 and for integers."""


def stamps_of(column: pd.Series, series: np.ndarray, zone: str | None, form: str | None, first_row: int) -> Stamps:
    """Read the column of time of rows whose series have these numbers.

    Raises:
        Problem: a row has no date, or none that can be read or exists; or the dates can be read in two ways.
    """
    missing = np.flatnonzero(column.isna() | (column.astype(str).str.strip() == ""))
    if len(missing):
        rows = f"{len(missing)} rows have" if len(missing) > 1 else "a row has"
        raise Problem(f'{rows} no time in "{column.name}", the first is row {first_row + missing[0]}: leave them out')
    codes, unique = pd.factorize(column)
    values, kind, form = parsed(
        pd.Series(unique, name=column.name), form, lambda code: first_row + int(np.flatnonzero(codes == code)[0])
    )
    values = values[codes]
    if kind == "integer":
        if zone is not None:
            raise Problem(f'--data.zone {zone} goes with dates, and "{column.name}" has integers: leave it out')
        return Stamps(values, values, kind, "", "")
    if kind == "aware":
        return Stamps(wall_of(values, zone or "UTC"), values, kind, zone or "UTC", form)
    return Stamps(values, resolved(values, series, zone) if zone else values, kind, zone or "", form)


def parsed(values: pd.Series, form: str | None, row: Row) -> tuple[np.ndarray, str, str]:
    """Values as int64, of which kind they are, and in which format; `row` says where the value of a place stands.

    Raises:
        Problem: one cannot be read, or all of them in two ways.
    """
    if form in EPOCHS:
        return nanoseconds(epochs(values, form, row), values.name, row), "aware", form
    if pd.api.types.is_datetime64_any_dtype(values):
        dates, form = pd.DatetimeIndex(values), ""
    else:
        text = values.astype(str).str.strip()
        if text.str.fullmatch(r"[+-]?\d{1,18}(\.0*)?").all():
            text = text.str.replace(r"\.0*$", "", regex=True)
            form = form or compact(text)
            if form is None:
                return text.astype(np.int64).to_numpy(), "integer", ""
        form = chosen(text, values.name, row) if form is None else form
        dates = dates_of(text, values.name, form, row)
    return nanoseconds(dates, values.name, row), "naive" if dates.tz is None else "aware", form


def dates_of(text: pd.Series, name: Any, form: str, row: Row) -> pd.DatetimeIndex:
    """Texts of one format as dates, in UTC where they name an offset from it.

    Raises:
        Problem: one is of another format, or some name an offset and others do not.
    """
    offsets = pd.Series("%z" in form, text.index) if form else text.str.contains(OFFSET)
    if offsets.nunique() > 1:
        place = int(np.flatnonzero(offsets != offsets.iloc[0])[0])
        raise Problem(
            f'"{name}" names an offset from UTC in some rows and none in others, such as {text.iloc[place]} in row '
            f"{row(place)}: write all in one way"
        )
    dates = pd.to_datetime(text, format=form or "ISO8601", utc=bool(offsets.all()), errors="coerce")
    if dates.isna().any():
        place = int(np.flatnonzero(dates.isna())[0])
        raise Problem(f'"{name}" has {text.iloc[place]} in row {row(place)}, which is no {form or "date"}: correct it')
    return pd.DatetimeIndex(dates)


def nanoseconds(dates: pd.DatetimeIndex, name: Any, row: Row) -> np.ndarray:
    """Dates as nanoseconds since 1970, in UTC where they have a zone.

    Raises:
        Problem: a year is a mistake more probably than a date.
    """
    wrong = np.flatnonzero((dates.year < YEARS[0]) | (dates.year > YEARS[1]))
    if len(wrong):
        raise Problem(
            f'"{name}" has the year {dates.year[wrong[0]]} in row {row(int(wrong[0]))}, which is not of {YEARS[0]} to '
            f"{YEARS[1]}: correct it, or name the format by --data.time-format"
        )
    return at(dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None))


def compact(text: pd.Series) -> str | None:
    """The format of whole numbers that can hardly be anything but dates, such as 20240131; None for others."""
    digits = text.str.len()
    form = COMPACT.get(int(digits.iloc[0]))
    if form is None or digits.nunique() > 1 or len(text) < ENOUGH[form]:
        return None
    dates = pd.to_datetime(text, format=form, errors="coerce")
    return form if bool(dates.dt.year.between(1900, 2100).all()) else None


def epochs(values: pd.Series, unit: str, row: Row) -> pd.DatetimeIndex:
    """Numbers that count a unit since 1970, as dates in UTC.

    Raises:
        Problem: one is no number, or too large.
    """
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~(np.abs(numbers) < 2.0**63 / EPOCHS[unit]))
    if len(wrong):
        what = f"which counts no {unit} since 1970"
        raise Problem(f'"{values.name}" has {values.iloc[wrong[0]]} in row {row(int(wrong[0]))}, {what}: correct it')
    whole = np.floor(numbers)
    time = whole.astype(np.int64) * EPOCHS[unit] + np.round((numbers - whole) * EPOCHS[unit]).astype(np.int64)
    return pd.DatetimeIndex(time.astype("datetime64[ns]"), tz="UTC")


def chosen(text: pd.Series, name: Any, row: Row) -> str:
    """The one format that reads all dates, "" for ISO 8601.

    Raises:
        Problem: there is none, or two that read them differently.
    """
    read, best = {}, ("", pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce").isna())
    if not best[1].any():
        return ""
    for form in (date + hour for date in DATES for hour in HOURS):
        if pd.to_datetime(text.head(TRIED), format=form, errors="coerce").isna().all():
            continue
        dates = pd.to_datetime(text, format=form, errors="coerce")
        if not dates.isna().any():
            read[form] = at(pd.DatetimeIndex(dates)).tobytes()
        elif dates.isna().sum() < best[1].sum():
            best = form, dates.isna()
    if len(set(read.values())) > 1:
        one, other = list(read)[:2]
        raise Problem(
            f'"{name}" has dates such as {text.iloc[0]} that are {one} or {other}: name one by --data.time-format'
        )
    if read:
        return next(iter(read))
    place = int(np.flatnonzero(best[1])[0])
    what = f"which is no {best[0] or 'date as 2024-01-31 14:00'}" if best[1].mean() < 0.5 else "which is no known date"
    raise Problem(
        f'"{name}" has {text.iloc[place]} in row {row(place)}, {what}: correct it, or name the format of all by '
        "--data.time-format, such as %d/%m/%Y %H:%M"
    )
