"""Text: where it comes from, how it is split and tokenized, and how one example is made.

A document is a file (.txt, .py), a line of a .jsonl file or a row of a .parquet file (their field `text`). Documents
that are equal up to white space, or nearly so (`shingles.py`), are one group, and a group lies in one split. The
tokenizer, a byte-level BPE, is trained on the training split alone. What was prepared is kept in `.cache/`, named by a
hash of everything that decided it.
"""

import json
import os
import shutil
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from .engine.splits.dedup import Pair, joined
from .engine.core.errors import Problem
from .engine.core.config_io import fingerprint
from .engine.splits.leakage import Leakage, Sample, compare
from .engine.core.batch import Batch
from .engine.splits.minhash import RULE, near
from .engine.splits.splits import SPLITS, Entry, Training, lock, split_of
from .engine.core.files import replace, write_atomically

CACHE = Path(".cache")
END = "<|endoftext|>"
SUFFIXES = (".txt", ".jsonl", ".parquet")
NOT_SOURCE = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
FEW = 30
"""With fewer groups than this, each document is cut in order instead of falling into one split whole."""


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


class TextExamples:
    """Windows of `context` + 1 tokens; a window's last token is the next one's first, so each is predicted once."""

    def __init__(self, tokens: np.ndarray, context: int) -> None:
        self.tokens, self.context = tokens, context

    @classmethod
    def load(cls, file: Path | str, context: int) -> "TextExamples":
        """The windows of a .npy file, which is read where it is needed and not before."""
        return cls(np.load(file, mmap_mode="r"), context)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker that does not begin as a copy of this process opens the file, instead of being sent what it holds.
        if isinstance(self.tokens, np.memmap):
            return TextExamples.load, (self.tokens.filename, self.context)
        return TextExamples, (self.tokens, self.context)

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.context

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`tokens`: (len(indices), context + 1), int64."""
        positions = indices[:, None] * self.context + np.arange(self.context + 1)
        return {"tokens": torch.from_numpy(self.tokens[positions].astype(np.int64))}


@dataclass(frozen=True)
class Text:
    """A prepared corpus in a folder of the cache."""

    folder: Path
    sha256: str
    leakage: Leakage
    """What the splits share: nothing, unless the grouping is changed."""

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.folder / "tokenizer.json"))

    def tokens(self, split: str) -> np.ndarray:
        """The split's documents in the order of their hash, each followed by the end-of-text token."""
        tokens: np.ndarray = np.load(self.folder / f"{split}.npy", mmap_mode="r")
        return tokens

    def bytes(self, split: str) -> bytes:
        """The split's documents one after the other, as UTF-8."""
        return (self.folder / f"{split}.txt").read_bytes()

    def examples(self, split: str, context: int) -> TextExamples:
        """The windows of a split.

        Raises:
            Problem: the split is shorter than one window.
        """
        examples = TextExamples(self.tokens(split), context)
        if not len(examples):
            raise Problem(
                f"the {split} split holds {len(examples.tokens)} tokens, fewer than --model.context {context}: "
                "add text or lower the context"
            )
        return examples

    def token_bytes(self) -> np.ndarray:
        """How many bytes of text each token stands for; none for the end of text."""
        lengths = np.zeros(self.tokenizer.get_vocab_size(), dtype=np.int64)
        for token, index in self.tokenizer.get_vocab().items():
            lengths[index] = 0 if token == END else len(token)
        return lengths


def prepare(path: str | None, vocabulary: int) -> Text:
    """Read, split, lock and tokenize the text at `path`, or the standard library's source where it is None.

    Raises:
        Problem: the path is missing, empty, unreadable or not text, or differs from `data.lock.json`.
    """
    name = path or f"the standard library of Python {'.'.join(map(str, sys.version_info[:3]))}"
    files = list(_read(path))
    placed, leakage = _place([document for _, _, documents in files for document in documents])
    splits = {split: [document.text for sample, document in placed if sample.split == split] for split in SPLITS}
    for split in SPLITS:
        if not splits[split]:
            raise Problem(f"{name} leaves no text for the {split} split: add more documents")
    digest = lock(name, _entries(files, placed))
    folder = CACHE / f"text-{fingerprint(f'2 {digest} {vocabulary}')[:16]}"
    if not folder.exists():
        _write(folder, splits, vocabulary)
    return Text(folder, digest, leakage)


def _read(path: str | None) -> Iterator[tuple[str, bytes, list[Document]]]:
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


def _place(documents: Sequence[Document]) -> tuple[list[tuple[Sample, Document]], Leakage]:
    """Where each document lies, in the order of their groups' hashes, and what the splits share."""
    keys = [document.key for document in documents]
    pairs = _near(documents, keys) if len(documents) >= FEW else []
    groups = joined(keys, pairs)
    rule = RULE
    if len(set(groups)) >= FEW:
        splits = [split_of(group) for group in groups]
    else:
        cut = [(split, part) for document in documents for split, part in _parts(document)]
        splits, documents = [split for split, _ in cut], [part for _, part in cut]
        pairs, rule = [], "equal up to white space"
        keys = groups = [part.key for part in documents]
    names = [document.name for document in documents]
    samples = [Sample(*values) for values in zip(names, splits, keys, groups, strict=True)]
    placed = sorted(zip(samples, documents, strict=True), key=lambda at: (at[0].group, at[1].text))
    return placed, compare(samples, pairs, rule)


def _near(documents: Sequence[Document], keys: list[str]) -> list[Pair]:
    """The pairs that are alike, which are found once."""
    file = CACHE / f"near-{fingerprint(' '.join([RULE, *keys]))[:16]}.json"
    if not file.exists():
        print(f"comparing {len(documents)} documents with each other (once)", file=sys.stderr)
        CACHE.mkdir(exist_ok=True)
        write_atomically(file, json.dumps(near([document.text for document in documents])))
    return [Pair(*values) for values in json.loads(file.read_text(encoding="utf-8"))]


def _parts(document: Document) -> list[tuple[str, Document]]:
    """The first 80 % of the lines, the next 10 % and the last 10 %."""
    lines = document.text.splitlines(keepends=True)
    first, second = len(lines) * 8 // 10, len(lines) * 9 // 10
    parts = ("".join(lines[:first]), "".join(lines[first:second]), "".join(lines[second:]))
    return [(split, document._replace(text=part)) for split, part in zip(SPLITS, parts, strict=True) if part.strip()]


def _entries(files: list[tuple[str, bytes, list[Document]]], placed: list[tuple[Sample, Document]]) -> list[Entry]:
    """What to lock: every file, and how many of its documents lie in each split."""
    rows = Counter((document.file, sample.split) for sample, document in placed)
    return [
        Entry(path, len(content), fingerprint(content), {split: rows[path, split] for split in SPLITS})
        for path, content, _ in files
    ]


def _write(folder: Path, splits: dict[str, list[str]], vocabulary: int) -> None:
    """Everything a run reads of the text, in a folder that appears whole or not at all."""
    count = sum(map(len, splits.values()))
    print(f"preparing {count} documents (once; kept in {folder})", file=sys.stderr)
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        tokenizer = train_tokenizer(Training(splits), vocabulary)
        tokenizer.save(str(temporary / "tokenizer.json"))
        for split, documents in splits.items():
            (temporary / f"{split}.txt").write_bytes("".join(documents).encode())
            np.save(temporary / f"{split}.npy", encode(tokenizer, documents))
        replace(temporary, folder)
    except OSError as error:
        if folder.exists():
            return  # another training has prepared the same in the meantime
        raise Problem(f"cannot write the prepared text to {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def train_tokenizer(training: Training[list[str]], vocabulary: int) -> Tokenizer:
    """A byte-level BPE with at most `vocabulary` entries; entry 0 is the end of text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training.data, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, documents: list[str]) -> np.ndarray:
    """The documents' tokens, each document followed by the end of text.

    The marker's own spelling inside a document is ordinary text.
    """
    tokenizer.encode_special_tokens = True
    end = tokenizer.token_to_id(END)
    kind = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    encodings = tokenizer.encode_batch(documents, add_special_tokens=False)
    return np.concatenate([np.array([*encoding.ids, end], dtype=kind) for encoding in encodings])
