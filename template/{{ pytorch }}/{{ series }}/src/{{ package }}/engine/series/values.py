"""Numbers and texts in the cells of a table, and texts as columns of zeros and ones."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..core.errors import Problem
from .config import SeriesConfig
from .files import MISSING, Frame

MOST = 100
"""Texts that a column may hold."""
LARGEST = float(np.finfo(np.float32).max)


def numbers(frame: Frame, name: str, config: SeriesConfig) -> np.ndarray:
    """A column as (N,) float64, NaN where it is empty.

    Raises:
        Problem: a cell holds no number, or one that is too large.
    """
    column = frame.columns[name]
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
    else:
        text = plain(column)
        values = pd.to_numeric(written(text, config), errors="coerce").to_numpy(np.float64, na_value=np.nan)
        wrong = np.flatnonzero(np.isnan(values) & text.notna().to_numpy())
        if len(wrong):
            raise Problem(
                f'"{name}" has {text.iloc[wrong[0]]} in row {frame.first_row + wrong[0]}, which is no number'
                f"{more(len(wrong))}: correct it, or say by --data.decimal and --data.thousands how numbers are written"
            )
    wrong = np.flatnonzero(np.abs(values) > LARGEST)
    if len(wrong):
        value = values[wrong[0]]
        raise Problem(
            f'"{name}" has {value:g} in row {frame.first_row + wrong[0]}, which is too large{more(len(wrong))}: '
            "correct it, or leave it empty"
        )
    return values


def more(count: int) -> str:
    """How many cells are so, if not one."""
    return f" ({count:,} cells are so)" if count > 1 else ""


def plain(column: pd.Series) -> pd.Series:
    """Cells as texts, missing where people write that they are."""
    text = column.astype("str").str.strip()
    return text.mask(column.isna() | text.isin(MISSING))


def written(text: pd.Series, config: SeriesConfig) -> pd.Series:
    """Numbers with a point and nothing between their thousands; what is written otherwise becomes no number."""
    decimal, between = re.escape(config.decimal), re.escape(config.thousands)
    grouped = r"\d{1,3}(?:" + between + r"\d{3})+"
    whole = rf"(?:{grouped}|\d+)" if between else r"\d+"
    form = rf"[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?"
    right = text.where(text.str.fullmatch(form, case=False).fillna(False).astype(bool))
    if between:
        right = right.str.replace(config.thousands, "", regex=False)
    return right.str.replace(config.decimal, ".", regex=False)


def is_category(column: pd.Series) -> bool:
    """Whether a column holds texts, of which none looks like a number, however that would be written."""
    if pd.api.types.is_numeric_dtype(column):
        return False
    text = plain(column).dropna()
    return len(text) > 0 and not text.str.fullmatch(r"[+-]?[\d.,' ]*\d[\d.,' ]*(?:[eE][+-]?\d+)?|[+-]?inf").any()


def texts(frame: Frame, name: str) -> np.ndarray:
    """A column as (N,) texts, "" where it is empty."""
    return plain(frame.columns[name]).fillna("").to_numpy(object)


def categories_of(name: str, column: np.ndarray) -> tuple[str, ...]:
    """The texts of a column, in their order, with "" where a cell is empty.

    Raises:
        Problem: there are too many.
    """
    found = tuple(sorted(set(column.tolist())))
    if len(found) > MOST:
        raise Problem(
            f'"{name}" has {len(found):,} different texts, and {MOST} are the most: group them, or leave it out'
        )
    return found


def one_hot(column: np.ndarray, known: tuple[str, ...]) -> np.ndarray:
    """(N, C) float32: one where a text is the category; a text that training did not have is taken for an empty cell.

    Where no cell was empty in training, a text that is unknown has zeros alone: a column that was always zero would
    have a weight that nothing has taught.
    """
    text = np.where(np.isin(column, known), column, "")
    return (text[:, None] == np.array(known, object)[None]).astype(np.float32)


def encoded(
    columns: Mapping[str, np.ndarray], names: Sequence[str], texts: Mapping[str, tuple[str, ...]], count: int
) -> np.ndarray:
    """(N, P) float32: columns of `count` numbers as they are, those of texts by category."""
    parts = [
        one_hot(columns[name], texts[name]) if name in texts else columns[name].astype(np.float32)[:, None]
        for name in names
    ]
    return np.concatenate([np.empty((count, 0), np.float32), *parts], 1)


def headings(names: Sequence[str], texts: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What the columns of `encoded` are called."""
    of = [[f"{name}={text or '(unknown)'}" for text in texts[name]] if name in texts else [name] for name in names]
    return tuple(heading for some in of for heading in some)
