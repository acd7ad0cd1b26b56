"""Text: where it comes from, how it is split and tokenized.

A document is a file (.txt, .py), a line of a .jsonl file or a row of a .parquet file (their field `text`). Documents
that are equal up to white space, or nearly so, are one group, and a group lies in one split. The tokenizer is trained
on the training split alone.
"""

from .engine.core.cache import kept
from .engine.core.config_io import fingerprint
from .engine.core.errors import Problem
from .engine.splits.division import Division
from .engine.splits.splits import SPLITS, lock
from .engine.text.files import find, read
from .engine.text.placing import ENOUGH, entries, place
from .engine.text.tokens import Text, write


def prepare(path: str | None, vocab_size: int, division: Division | None = None) -> Text:
    """Read, split, lock and tokenize the text at `path`, or the standard library's source where it is None.

    Raises:
        Problem: the path is missing, empty, unreadable or not text, or differs from `data.lock.json`.
    """
    found = find(path)
    files = list(read(found))
    placed, leakage = place([document for _, _, documents in files for document in documents], division)
    splits = {split: [document.text for sample, document in placed if sample.split == split] for split in SPLITS}
    for split in SPLITS:
        if not splits[split]:
            raise Problem(f"{found.name} leaves no text for the {split} split: {ENOUGH} would do")
    digest = lock(found.name, entries(files, placed), division)
    folder = kept(
        f"text-{fingerprint(f'2 {digest} {vocab_size}')[:16]}",
        f"preparing {len(placed)} documents in {found.describe()}",
        lambda folder: write(folder, splits, vocab_size),
    )
    return Text(folder, digest, leakage)
