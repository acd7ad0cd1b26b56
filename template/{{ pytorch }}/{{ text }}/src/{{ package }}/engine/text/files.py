"""The documents of a folder: files, lines of a .jsonl file, rows of a .parquet file (their field `text`)."""

import json
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..core.config_io import fingerprint
from ..core.errors import Problem

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


def read(path: str | None) -> Iterator[tuple[str, bytes, list[Document]]]:
    """Name, raw content and documents of every file."""
    root = Path(path or sysconfig.get_path("stdlib"))
    for file in _files(root, (".py",) if path is None else SUFFIXES):
        relative = file.relative_to(root).as_posix() if root.is_dir() else file.name
        if path is None and NOT_SOURCE.intersection(Path(relative).parts[:-1]):
            continue
        try:
            content = file.read_bytes()
            found = [Document(relative, relative + place, text) for place, text in _documents(file, content)]
            yield relative, content, [document for document in found if document.text.strip()]
        except OSError as error:
            raise Problem(f"cannot read {file}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            if path is not None:
                raise Problem(f"{file} is not UTF-8 text (byte {error.start}): convert it or leave it out") from None


def _files(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not root.exists():
        raise Problem(f"{root} does not exist: --data.path takes a folder or a file")
    if root.is_file():
        if root.suffix not in suffixes:
            raise Problem(f"{root} is not one of {', '.join(suffixes)}")
        return [root]
    files = sorted(file for file in root.rglob("*") if file.suffix in suffixes and file.is_file())
    if not files:
        raise Problem(f"{root} holds no {', '.join(suffixes)} file")
    return files


def _documents(file: Path, content: bytes) -> Iterable[tuple[str, str]]:
    """Each text, and where in the file it stands."""
    if file.suffix == ".jsonl":
        lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
        return [(f", line {number}", _field(file, number, line)) for number, line in lines]
    if file.suffix == ".parquet":
        return [(f", row {number}", text) for number, text in enumerate(_parquet(file))]
    return [("", content.decode())]


def _field(file: Path, number: int, line: bytes) -> str:
    try:
        text = json.loads(line)["text"]
        text.encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        text = None
    if not isinstance(text, str):
        raise Problem(f'{file}, line {number}: expected an object with a string "text"')
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
