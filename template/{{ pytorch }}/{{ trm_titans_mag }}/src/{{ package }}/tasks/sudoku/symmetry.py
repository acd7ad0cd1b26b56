"""Sudoku's symmetries: random ones for training, and what all symmetric copies of a puzzle have in common.

What turns a puzzle into an equivalent one: other names for the digits, transposition, and permutations of the rows
within a band, of the bands, of the columns within a stack, and of the stacks (Russell & Jarvis 2006). Of a 9 x 9 grid
there are 9! x 2 x 6^8 = 1.2e12 arrangements.

Canonical form: two rows of one band are related by the permutation p that takes each column to the one in which the
first row has the second row's digit. Renamed digits do not change p, and columns arranged by s turn it into s^-1 p s:
its class stays. So an arrangement is chosen in which two neighbouring rows show the smallest p of the class that leaves
least to choose; digits are named by the first row, and the other rows are sorted. Of the few arrangements that are
left, the smallest grid wins, and of equal ones that with the smallest set of clues. It is exact: two puzzles have the
same form if, and only if, a symmetry turns one into the other.
"""

from functools import cache
from itertools import permutations, product
from typing import NamedTuple

import numpy as np

from .grids import side_of

PART = 2**14
"""Arrangements that are made at once."""


@cache
def lines(side: int) -> np.ndarray:
    """(1296 or 8, side): every arrangement of rows (or columns) that keeps bands (or stacks) together, ascending."""
    n = round(side**0.5)
    inside = list(permutations(range(n)))
    return np.array(
        sorted(
            [n * band + row for band, rows in zip(bands, order, strict=True) for row in rows]
            for bands in inside
            for order in product(inside, repeat=n)
        )
    )


def varied(boards: tuple[np.ndarray, ...], noise: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A random symmetry for each row, the same in all of `boards`, which are (N, cells)."""
    side, count = side_of(boards[0]), len(boards[0])
    rows, columns = lines(side)[noise.integers(len(lines(side)), size=(2, count))]
    row, column = rows[:, :, None], columns[:, None, :]
    turned = noise.integers(2, size=(count, 1, 1)) == 1
    cells = np.where(turned, column * side + row, row * side + column).reshape(count, -1)
    names = np.zeros((count, side + 1), dtype=np.uint8)
    names[:, 1:] = noise.permuted(np.tile(np.arange(1, side + 1), (count, 1)), axis=1)
    return tuple(np.take_along_axis(names, np.take_along_axis(board, cells, 1), 1) for board in boards)


def canonical(solutions: np.ndarray, puzzles: np.ndarray) -> np.ndarray:
    """(N, 2 x cells): the form of each puzzle's solution and, arranged like it, of its clues: 1 where one stands."""
    side = side_of(solutions)
    grids = np.stack((solutions, puzzles > 0), 1).astype(np.uint8).reshape(-1, 2, side, side)
    grids = np.concatenate((grids, grids.transpose(0, 1, 3, 2)))
    todo = choices(grids[:, 0])
    forms = np.empty((len(todo.grid), 2 * side * side), dtype=np.uint8)
    for start in range(0, len(forms), PART):
        forms[start : start + PART] = arranged(grids, Choices(*(value[start : start + PART] for value in todo)))
    owner = todo.grid % len(solutions)
    # Bytes compare in the order of their numbers; 0 would count as their end.
    order = np.lexsort(((forms + 1).view(f"S{forms.shape[1]}")[:, 0], owner))
    return forms[order[np.searchsorted(owner[order], np.arange(len(solutions)))]]


class Choices(NamedTuple):
    """Arrangements to compare, M of them."""

    grid: np.ndarray
    first: np.ndarray
    """The row that comes first, and names the digits."""
    columns: np.ndarray
    """The arrangement of the columns, by its number in `lines`."""


def choices(grids: np.ndarray) -> Choices:
    """What is left to compare of 2N grids, the last N of which are transposes of the first."""
    side = grids.shape[1]
    first, second = neighbours(side)
    column_of = grids.argsort(2)
    p = np.take_along_axis(column_of[:, first], grids[:, second] - 1, 2)
    codes, which = np.unique(number(p), return_inverse=True)
    ranks, ways = classes(side, codes)
    _, kind = np.unique(ranks, return_inverse=True)
    kinds = kind[which].reshape(2, -1, len(first))
    chosen = cheapest(kinds.transpose(1, 0, 2).reshape(kinds.shape[1], -1), kind, ways)
    grid, pair = np.nonzero((kinds == chosen[:, None]).reshape(len(grids), -1))
    found = [ways[code] for code in which.reshape(len(grids), -1)[grid, pair]]
    times = [len(way) for way in found]
    return Choices(np.repeat(grid, times), np.repeat(first[pair], times), np.concatenate(found))


def neighbours(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Ordered pairs of two rows in one band."""
    n = round(side**0.5)
    pairs = [(a, b) for a, b in product(range(side), repeat=2) if a != b and a // n == b // n]
    first, second = np.array(pairs).T
    return first, second


def number(p: np.ndarray) -> np.ndarray:
    """Permutations along the last axis as numbers."""
    side = p.shape[-1]
    return p @ side ** np.arange(side)[::-1]


def classes(side: int, codes: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """For each permutation, by its number, the smallest of its class, and the arrangements that turn it into that."""
    # Where the inverse of each arrangement stands among them.
    inverse = np.searchsorted(number(lines(side)), number(lines(side).argsort(1)))
    known: dict[int, tuple[int, np.ndarray]] = {}
    for code in codes.tolist():
        if code not in known:
            smallest = int(turned(side, code).min())
            members = turned(side, smallest)
            order = members.argsort(kind="stable")
            found = np.unique(members)
            back = inverse[order].reshape(len(found), -1)  # as many ways lead to each
            known |= {member: (smallest, way) for member, way in zip(found.tolist(), back, strict=True)}
    return np.array([known[code][0] for code in codes.tolist()]), [known[code][1] for code in codes.tolist()]


def turned(side: int, code: int) -> np.ndarray:
    """The numbers of s^-1 p s for each arrangement s, with p given by its number."""
    p = np.array([code // side**place % side for place in range(side)[::-1]])
    return number(np.take_along_axis(lines(side).argsort(1), p[lines(side)], 1))


def cheapest(kinds: np.ndarray, kind: np.ndarray, ways: list[np.ndarray]) -> np.ndarray:
    """(N,): of the classes that a grid's pairs (N, pairs) belong to, the one that leaves the fewest arrangements."""
    size = np.zeros(kind.max() + 1, dtype=np.int64)
    size[kind] = [len(way) for way in ways]
    counts = (kinds[:, :, None] == np.arange(len(size))).sum(1)
    return np.where(counts > 0, counts * size, np.iinfo(np.int64).max).argmin(1)


def arranged(grids: np.ndarray, todo: Choices) -> np.ndarray:
    """(M, 2 x cells): solutions and clues in these arrangements, digits from 0 on."""
    row, side = np.arange(len(todo.grid)), grids.shape[-1]
    n = round(side**0.5)
    x = np.take_along_axis(grids[todo.grid], lines(side)[todo.columns][:, None, None], 3)
    names = x[row, 0, todo.first].argsort(1)
    x[:, 0] = np.take_along_axis(names, x[:, 0].reshape(len(x), -1) - 1, 1).reshape(-1, side, side)
    start = x[:, 0, :, 0].astype(np.int64)
    place = start + side * start.reshape(-1, n, n).min(2).repeat(n, 1)
    order = place.argsort(1)
    return np.take_along_axis(x, order[:, None, :, None], 2).reshape(len(x), -1)
