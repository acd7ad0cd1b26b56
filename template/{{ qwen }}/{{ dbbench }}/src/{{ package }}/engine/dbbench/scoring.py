"""AgentBench's own comparison of answers, and its hash of a table, without its `eval`.

Checked against the reference: THUDM/AgentBench, `dbbench/result_processor.py`, commit 578c5e9.
"""

import hashlib
from collections.abc import Iterable, Sequence

CUT = 1024
"""Bytes after which MySQL cuts a GROUP_CONCAT unless it is told otherwise, as in the benchmark."""
TOLERANCE = 0.01
"""By how much two numbers may differ."""
NOTHING = {"none", "null", "undefined", "nan", "inf", "infinity", "-inf", "-infinity", ""}
"""What counts as 0."""


def agree(answers: Sequence[str], expected: Sequence[str]) -> bool:
    """Whether a committed answer is right: the same value, or the same values in any order.

    One number is compared with one, and all with all where each is a number, within `TOLERANCE`. Otherwise texts are
    equal or not, and how often a text is repeated makes no difference.
    """
    one, other = [normal(answer) for answer in answers], [normal(answer) for answer in expected]
    if all(map(numeric, (*one, *other))):
        return matched([float(text) for text in one], [float(text) for text in other])
    return one == other if len(one) == len(other) == 1 else set(one) == set(other)


def matched(numbers: list[float], wanted: list[float]) -> bool:
    """Whether each number takes the first one that is left within the tolerance, and none remains."""
    left = list(wanted)
    for value in numbers:
        near = next((place for place, other in enumerate(left) if abs(value - other) <= TOLERANCE), None)
        if near is None:
            return False
        left.pop(near)
    return not left


def normal(answer: str) -> str:
    """An answer without quotes around it, a per cent sign behind it and commas in it; 0 for what means nothing."""
    text = answer.strip().strip("'\"").strip()
    if text.endswith("%"):
        return text[:-1].strip()
    if not text.startswith("[") and not text.endswith("]"):
        text = text.replace(",", "")
    return "0" if text.lower() in NOTHING else text


def numeric(text: str) -> bool:
    """Whether Python reads it as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def digest(tables: Iterable[Iterable[Sequence[object]]]) -> str:
    """The hash of what tables hold, as MySQL would work it out.

    For a table, `MD5(GROUP_CONCAT(row ORDER BY row))`; for a row, `SUBSTRING(MD5(CONCAT_WS(',', columns)), 1, 5)`.
    This has 20 bits, and what lies behind the 171st row in their order is cut: so it is in the benchmark.
    """
    return "_".join(sorted(_digest(rows) for rows in tables))


def _digest(rows: Iterable[Sequence[object]]) -> str:
    short = sorted(_md5(",".join(str(value) for value in row if value is not None))[:5] for row in rows)
    return _md5(",".join(short)[:CUT]) if short else "None"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
