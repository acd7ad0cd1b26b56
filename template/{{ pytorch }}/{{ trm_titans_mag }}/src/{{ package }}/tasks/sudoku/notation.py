"""Sudoku boards as text: read from it, and drawn for a person."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from ...engine.core.errors import Problem

BLANKS = "0._"
IGNORED = " \t\r\n|+-"


def read(text: str, side: int) -> np.ndarray:
    """(cells,): the cells of a board, row by row; 0, a dot or _ is a blank, and lines between cells are left out.

    Raises:
        Problem: it has another number of cells, or something else than digits in it.
    """
    cells = [0 if letter in BLANKS else letter for letter in text if letter not in IGNORED]
    digits = [str(digit) for digit in range(1, side + 1)]
    wrong = [str(cell) for cell in cells if cell != 0 and cell not in digits]
    if wrong:
        raise Problem(f"the puzzle holds {wrong[0]!r}: give digits from 1 to {side}, and dots where a cell is blank")
    if len(cells) != side**2:
        raise Problem(f"the puzzle has {len(cells)} cells: give {side**2}, row by row, with dots where they are blank")
    return np.array([int(cell) for cell in cells])


def draw(board: Sequence[int] | np.ndarray) -> str:
    """A board with lines between its boxes, and dots for blanks."""
    side = round(len(board) ** 0.5)
    box = round(side**0.5)
    rows = []
    for start in range(0, len(board), side):
        cells = [str(cell) if cell else "." for cell in board[start : start + side]]
        rows.append(" | ".join(" ".join(cells[place : place + box]) for place in range(0, side, box)))
    line = "-+-".join("-" * (2 * box - 1) for _ in range(box))
    bands = ["\n".join(rows[band : band + box]) for band in range(0, side, box)]
    return f"\n{line}\n".join(bands)


def beside(blocks: Sequence[str], titles: Sequence[str]) -> str:
    """Blocks of text next to each other, under their titles."""
    columns = [[title, *block.splitlines()] for title, block in zip(titles, blocks, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    rows = zip_longest(*columns, fillvalue="")
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def keeps_the_rules(board: np.ndarray) -> bool:
    """Whether each row, column and box of a full board has every digit once."""
    side = round(len(board) ** 0.5)
    box = round(side**0.5)
    rows = board.reshape(side, side)
    boxes = board.reshape(box, box, box, box).swapaxes(1, 2).reshape(side, side)
    every = np.arange(1, side + 1)
    return all((np.sort(units, axis=1) == every).all() for units in (rows, rows.T, boxes))
