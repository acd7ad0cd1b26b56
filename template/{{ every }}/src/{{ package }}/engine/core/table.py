"""Tables for a terminal."""

from collections.abc import Iterable, Sequence


def aligned(rows: Iterable[Sequence[str]], *columns: str) -> list[str]:
    """Rows as lines: a column like "<32" or ">10" has at least this width, and room for the widest of its cells."""
    cells = list(rows)
    sides, widths = [column[0] for column in columns], [int(column[1:] or 0) for column in columns]
    for number, side in enumerate(sides):
        gap = 2 if side == ">" and number else 0
        widths[number] = max([widths[number], *(len(row[number]) + gap for row in cells)])
    return ["".join(padded(row, sides, widths)).rstrip() for row in cells]


def padded(row: Sequence[str], sides: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    """The cells of a row, filled up with spaces."""
    for number, (cell, side, width) in enumerate(zip(row, sides, widths, strict=True)):
        yield "  " * (side == "<" and number > 0) + f"{cell:{side}{width}}"
