"""The documents of a folder: files, lines of a .jsonl file, rows of a .parquet file (their field `text`)."""

import json
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.folders import place_of, reasons, unfit, walk

SUFFIXES = (".txt", ".jsonl", ".parquet")
NOT_SOURCE = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}


class Document(NamedTuple):
    """A text and where it was found."""

    file: str
    name: str
    """The file, and the line or row if it holds several."""
    text: str

    @property
    def key(self) -> str:
        """Equal for documents that are equal up to white space."""
        return fingerprint(" ".join(self.text.split()))


class Found(NamedTuple):
    """The files of a corpus."""

    name: str
    """What tells it from others: its place, however that is written."""
    root: Path
    files: list[Path]
    left_out: Counter[str]
    """How many files were not taken, by why."""

    def describe(self) -> str:
        """What is read, and what is not."""
        return f"{len(self.files)} files{reasons(self.left_out)}"


def find(path: str | None) -> Found:
    """The files at `path`, a file or a folder of any depth; the standard library's source where it is None.

    Hidden files are left out, and those of other kinds. Links are followed, and nothing is taken twice.

    Raises:
        Problem: there are none.
    """
    root = Path(path or sysconfig.get_path("stdlib"))
    name = place_of(root) if path else f"the standard library of Python {'.'.join(map(str, sys.version_info[:3]))}"
    suffixes = SUFFIXES if path else (".py",)
    if not root.exists():
        raise Problem(f"{root} does not exist: --data.path takes a folder or a file")
    if root.is_file():
        if root.suffix.lower() not in suffixes:
            raise Problem(f"{root} is not one of {', '.join(suffixes)}")
        return Found(name, root, [root], Counter())
    found = Found(name, root, [], Counter())
    seen = set[Path]()
    for file in walk(root, set() if path else NOT_SOURCE, found.left_out):
        if reason := unfit(file, suffixes, seen):
            found.left_out[reason] += 1
        else:
            seen.add(file.resolve())
            found.files.append(file)
    if not found.files:
        raise Problem(f"{root} holds no {', '.join(suffixes)} file")
    found.files.sort()
    if path is None:
        found.left_out.clear()  # nobody put these there
    return found


def read(found: Found) -> Iterator[tuple[str, bytes, list[Document]]]:
    """Name, raw content and documents of every file.

    Raises:
        Problem: one cannot be read, or is not what its suffix says.
    """
    root = found.root
    for file in found.files:
        relative = file.relative_to(root).as_posix() if root.is_dir() else file.name
        try:
            content = file.read_bytes()
            documents = [Document(relative, relative + place, text) for place, text in _documents(file, content)]
            yield relative, content, [document for document in documents if document.text.strip()]
        except OSError as error:
            raise Problem(f"cannot read {file}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            if file.suffix != ".py":
                raise Problem(f"{file} is not UTF-8 text (byte {error.start}): convert it or leave it out") from None


def _documents(file: Path, content: bytes) -> Iterable[tuple[str, str]]:
    """Each text, and where in the file it stands."""
    suffix = file.suffix.lower()
    if suffix == ".jsonl":
        lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
        return [(f", line {number}", _text(f"{file}, line {number}", line)) for number, line in lines]
    if suffix == ".parquet":
        return [(f", row {number}", text) for number, text in enumerate(_parquet(file))]
    return [("", content.decode())]


def _text(where: str, line: bytes) -> str:
    """The field `text` of a line."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Problem(f"{where} is not JSON: {error}") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        kind = type(row).__name__ if not isinstance(row, dict) else f"an object with {', '.join(row) or 'no fields'}"
        if isinstance(row, dict) and "text" in row:
            kind = f'one whose "text" is a {type(row["text"]).__name__}'
        raise Problem(f'{where}: expected an object with a string "text", found {kind}')
    text: str = row["text"]
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Problem(f"{where}: the text holds half of a surrogate pair, which is no character")
    return text


def _parquet(file: Path) -> list[str]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise Problem(f"reading {file} needs pyarrow: uv sync --extra parquet, or pip install pyarrow") from None
    try:
        return [str(text or "") for text in parquet.read_table(file, columns=["text"])["text"].to_pylist()]
    except (ArrowException, KeyError) as error:
        raise Problem(f'{file} is not a parquet file with a column "text": {error}') from None
