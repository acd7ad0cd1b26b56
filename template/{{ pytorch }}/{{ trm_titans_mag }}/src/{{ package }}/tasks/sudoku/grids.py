"""Sudoku: rules, solver and generator, for many boards at once.

A board has `side` digits (4 or 9) in rows, columns and boxes of sqrt(side) x sqrt(side) cells. Outside of this module
boards are (N, cells), 0 where a cell is blank. Inside, bit d of a cell's candidates says that it may hold digit d + 1,
and candidates are (cells, N): with the boards along the last axis, NumPy takes each step for all of them.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ...engine.core.errors import Problem

SIDES = (4, 9)
CHUNK = 1024
"""Boards that are worked on at once: what they need stays in the processor's cache."""
BITS = np.array([mask.bit_count() for mask in range(2**9)], dtype=np.uint8)
"""How many candidates a mask holds."""


class Settled(NamedTuple):
    """Candidates from which the rules remove nothing more."""

    candidates: np.ndarray
    dead: np.ndarray
    """(N,), whether the rules found that the board has no solution."""
    rounds: np.ndarray
    """(N,), how often they removed something, each time at all cells at once."""


class Solved(NamedTuple):
    """What a search found for each board."""

    solutions: np.ndarray
    """(N, cells), one solution of each; zeros where there is none."""
    counts: np.ndarray
    """(N,), how many there are; counting stops soon after as many as were asked for."""
    backtracks: np.ndarray
    """(N,), guesses that the search refuted; 0 where the rules alone suffice."""


def side_of(boards: np.ndarray) -> int:
    """Digits of a board.

    Raises:
        Problem: the boards are neither 4 x 4 nor 9 x 9.
    """
    for side in SIDES:
        if boards.ndim == 2 and boards.shape[1] == side**2:
            return side
    raise Problem(f"boards of the shape {boards.shape}: give one a row, with 16 or 81 cells, 0 for a blank")


def candidates(boards: np.ndarray) -> np.ndarray:
    """(cells, N): one candidate where a clue stands, and all where a cell is blank."""
    side = side_of(boards)
    masks = np.array([2**side - 1, *(1 << digit for digit in range(side))], dtype=np.uint16)
    return masks[boards.T]


def digits(candidates: np.ndarray) -> np.ndarray:
    """(N, cells): the digit of each cell that has one candidate, and 0 elsewhere."""
    meaning = np.zeros(2**9, dtype=np.uint8)
    meaning[1 << np.arange(9)] = np.arange(1, 10)
    return meaning[candidates.T]


@cache
def units(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The cells of each row, column and box, (side, 3 x side), and the row, column and box of each cell, (3, cells)."""
    n, cells = round(side**0.5), np.arange(side * side)
    row, column = np.divmod(cells, side)
    of = np.stack((row, side + column, 2 * side + row // n * n + column // n))
    return np.stack([cells[(of == unit).any(0)] for unit in range(3 * side)], 1), of


def tally(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The digits that at least one, and at least two, of a unit's cells may hold; `cells` is (side, units, N)."""
    once, twice = cells[0].copy(), np.zeros_like(cells[0])
    for cell in cells[1:]:
        twice |= once & cell
        once |= cell
    return once, twice


def narrowed(x: np.ndarray, hidden: bool) -> tuple[np.ndarray, np.ndarray]:
    """Both rules once, at all cells of all boards: what they leave, and where there is no solution.

    Naked singles: a cell's only candidate leaves the other cells of its units. Hidden singles: a digit with only one
    place in a unit takes it.
    """
    places, (row, column, box) = units(side_of(x.T))
    single = np.where(x & (x - np.uint16(1)), np.uint16(0), x)
    once, twice = tally(single[places])
    dead = (twice != 0).any(0)
    left = np.where(single, x, x & ~(once[row] | once[column] | once[box]))
    if hidden:
        once, twice = tally(x[places])
        dead |= (once != 2 ** len(places) - 1).any(0)
        once &= ~twice
        only = left & (once[row] | once[column] | once[box])
        dead |= (only & (only - np.uint16(1)) != 0).any(0)
        left = np.where(only, only, left)
    return left, dead | (left == 0).any(0)


def propagate(candidates: np.ndarray, hidden: bool = True) -> Settled:
    """Apply the rules until they remove nothing more; without `hidden`, naked singles alone."""
    active, x = np.arange(candidates.shape[1]), candidates
    result = Settled(candidates.copy(), np.zeros(len(active), dtype=bool), np.zeros(len(active), dtype=np.int64))
    while len(active):
        after, dead = narrowed(x, hidden)
        moving = (after != x).any(0) & ~dead
        result.dead[active[dead]] = True
        result.candidates[:, active[~moving]] = after[:, ~moving]
        result.rounds[active[moving]] += 1
        active, x = active[moving], after[:, moving]
    return result


def search(candidates: np.ndarray, most: int = 2) -> Solved:
    """Solve by the rules and, where they do not suffice, by trying each candidate of a cell that has the fewest.

    A board is searched until nothing is left to try or `most` solutions are found. With one solution its backtracks
    are thus those of the proof that there is no other, whatever the order of guesses; that of cells breaks ties.
    """
    cells, boards = candidates.shape
    solutions = np.zeros((boards, cells), dtype=np.uint8)
    counts, backtracks = np.zeros((2, boards), dtype=np.int64)
    stack = [(candidates, np.arange(boards))]
    while stack:
        x, owners = top(stack)
        wanted = counts[owners] < most
        (x, dead, _), owners = propagate(x[:, wanted]), owners[wanted]
        np.add.at(backtracks, owners[dead], 1)
        solved = ~dead & (BITS[x] == 1).all(0)
        solutions[owners[solved]] = digits(x[:, solved])
        np.add.at(counts, owners[solved], 1)
        unsure = ~dead & ~solved
        if unsure.any():
            stack.append(branches(x[:, unsure], owners[unsure]))
    return Solved(solutions, counts, backtracks)


Boards = tuple[np.ndarray, np.ndarray]
"""Candidates, and the number of the board that they belong to."""


def top(stack: list[Boards]) -> Boards:
    """The last boards of the stack, about CHUNK of them, which leave it."""
    taken: list[Boards] = []
    count = 0
    while stack and count < CHUNK:
        x, owners = stack.pop()
        if count + len(owners) > CHUNK:
            rest = count + len(owners) - CHUNK
            stack.append((x[:, :rest], owners[:rest]))
            x, owners = x[:, rest:], owners[rest:]
        taken.append((x, owners))
        count += len(owners)
    return np.concatenate([x for x, _ in taken], 1), np.concatenate([owners for _, owners in taken])


def branches(x: np.ndarray, owners: np.ndarray) -> Boards:
    """Each board once for every candidate of the first cell that has the fewest, with that candidate alone."""
    cells, masks = fewest(x)
    digit, board = np.nonzero(masks >> np.arange(max(SIDES))[:, None] & 1)
    return placed(x[:, board], cells[board], digit), owners[board]


def fewest(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each board, the first cell with the fewest candidates but more than one, and these."""
    counts = BITS[x]
    cell = np.where(counts > 1, counts, 99).argmin(0)
    return cell, x[cell, np.arange(len(cell))]


def placed(x: np.ndarray, cells: np.ndarray, digit: np.ndarray) -> np.ndarray:
    """The candidates, in which each board has a digit (from 0 on) in a cell."""
    after = x.copy()
    after[cells, np.arange(len(cells))] = np.uint16(1) << digit.astype(np.uint16)
    return after


def drawn(masks: np.ndarray, noise: np.random.Generator) -> np.ndarray:
    """One of the candidates of each mask, as a digit from 0 on."""
    possible = masks >> np.arange(max(SIDES)).reshape(-1, *[1] * masks.ndim) & 1
    return np.where(possible, noise.random(possible.shape), -1).argmax(0)


def grids(side: int, count: int, noise: np.random.Generator) -> np.ndarray:
    """(count, cells) full grids: random digits in the cells with the fewest candidates, anew where that fails.

    Every grid can come, but not all with the same probability.
    """
    found = np.zeros((0, side * side), dtype=np.uint8)
    x = blank = candidates(np.zeros((count, side * side), dtype=np.uint8))
    while len(found) < count:
        cells, masks = fewest(x)
        x, dead, _ = propagate(placed(x, cells, drawn(masks, noise)))
        solved = ~dead & (BITS[x] == 1).all(0)
        found = np.concatenate((found, digits(x[:, solved])))
        x = np.concatenate((x[:, ~dead & ~solved], blank[:, : int(dead.sum())]), 1)
    return found


def carved(solutions: np.ndarray, clues: np.ndarray, noise: np.random.Generator) -> np.ndarray:
    """(N, cells): the grids without some of their digits, and no other solution than the grid.

    Digits are taken away in random order until `clues` (N,) are left; one that a second solution would need stays.
    """
    cells, side = solutions.shape[1], side_of(solutions)
    order = noise.permuted(np.tile(np.arange(cells), (len(solutions), 1)), axis=1)
    boards, left = solutions.copy(), np.full(len(solutions), cells)
    for turn in range(cells):
        rows = np.flatnonzero(left > clues)
        cell = order[rows, turn]
        tried = candidates(boards[rows])
        tried[cell, np.arange(len(rows))] ^= np.uint16(2**side - 1)  # every digit but the one that stands there
        spare = search(tried, most=1).counts == 0
        boards[rows[spare], cell[spare]] = 0
        left[rows] -= spare
    return boards
