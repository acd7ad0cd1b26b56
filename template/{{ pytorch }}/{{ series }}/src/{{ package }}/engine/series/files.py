"""A table as people have it: a .csv, a .parquet, or a frame of pandas."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..core.errors import Problem
from ..core.files import write_atomically
from ..core.folders import place_of

MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "?"]
"""What people write for a missing number."""
SEPARATORS = ",;\t|"


class Frame(NamedTuple):
    """The columns of a source, as it has them."""

    name: str
    """What tells it from others: its place, however that is written."""
    first_row: int
    """What people call the first row."""
    columns: pd.DataFrame


def frame_of(source: str | Path | pd.DataFrame, text: Callable[[str], bool]) -> Frame:
    """A table; of a .csv, the columns of these names are not taken for numbers, and so keep their zeros and commas.

    Raises:
        Problem: it is missing, of another kind, damaged or empty.
    """
    if isinstance(source, pd.DataFrame):
        named = any(name is not None for name in source.index.names) or isinstance(source.index, pd.DatetimeIndex)
        frame = Frame("the frame", 0, source.reset_index(drop=not named).rename(columns=str))
    else:
        file = Path(source)
        if not file.is_file():
            raise Problem(f"{file} is no file: --data.path takes a .csv or a .parquet")
        if file.suffix.lower() == ".parquet":
            frame = Frame(place_of(file), 1, parquet(file))
        elif file.suffix.lower() in (".csv", ".tsv", ".txt"):
            frame = Frame(place_of(file), 2, table(file, text))
        else:
            raise Problem(f"{file} is no .csv and no .parquet: save it as one of them")
    refuse_twins(frame.name, frame.columns.columns)
    if not len(frame.columns):
        raise Problem(f"{frame.name} has no rows")
    return frame


def refuse_twins(name: str, columns: Iterable[str]) -> None:
    """Refuse columns of one name.

    Raises:
        Problem: there are two.
    """
    twins = [column for column, count in Counter(columns).items() if count > 1]
    if twins:
        raise Problem(f'{name} has two columns "{twins[0]}": rename one')


def table(file: Path, text: Callable[[str], bool]) -> pd.DataFrame:
    """The columns of a .csv file, which may begin with a byte-order mark; between them , ; | or a tabulator.

    Raises:
        Problem: it cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            header = lines.readline()
        separator = max(SEPARATORS, key=header.count)
        fields = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        names = [name.strip() or f"column {place}" for place, name in enumerate(fields, 1)]
        if not names:
            raise Problem(f"{file} does not begin with the names of its columns")
        refuse_twins(str(file), names)
        columns = pd.read_csv(
            file,
            sep=separator,
            header=0,
            names=names,
            encoding="utf-8-sig",
            skipinitialspace=True,
            dtype={name: str for name in names if text(name)},
            keep_default_na=False,
            na_values={name: [""] if text(name) else MISSING for name in names},
            low_memory=False,
        )
    except UnicodeDecodeError as error:
        raise Problem(f"{file} is not UTF-8 text (byte {error.start}): convert it") from None
    except (OSError, ValueError, csv.Error) as error:  # pandas' errors are some of these
        raise Problem(f"cannot read {file}: {' '.join(str(error).split())}") from None
    if not isinstance(columns.index, pd.RangeIndex):  # where pandas puts what is more
        raise Problem(f"{file}, row 2 has more fields than there are columns: quote a text that holds a comma")
    return columns


def parquet(file: Path) -> pd.DataFrame:
    """The columns of a .parquet file, with those that pandas keeps as an index.

    Raises:
        Problem: it cannot be read.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise Problem(f"reading {file} needs pyarrow: uv sync --extra parquet, or pip install pyarrow") from None
    try:
        columns = parquet.read_table(file).to_pandas()
    except (ArrowException, OSError) as error:
        raise Problem(f"{file} is not a parquet file: {error}") from None
    named = any(name is not None for name in columns.index.names)
    return (columns.reset_index() if named else columns).rename(columns=str)


def write(frame: pd.DataFrame, file: Path) -> None:
    """Write a table as .csv or .parquet, by the suffix, atomically.

    Raises:
        Problem: it has another suffix, or a library is missing.
    """
    if file.suffix.lower() == ".csv":
        write_atomically(file, frame.to_csv(index=False, lineterminator="\n"))
    elif file.suffix.lower() == ".parquet":
        try:
            write_atomically(file, frame.to_parquet(index=False))
        except ImportError:
            raise Problem(f"writing {file} needs pyarrow: uv sync --extra parquet, or pip install pyarrow") from None
    else:
        raise Problem(f"{file} must end in .csv or .parquet")
