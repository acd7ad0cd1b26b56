"""The rendered Sudoku against plain solvers that share nothing with it, and how fast its puzzles come."""

import importlib
import time
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from rendering import render

FACTS = {45: (1.0, 1.0), 36: (0.75, 0.95), 30: (0.27, 0.82), 17: (0.0, 0.57)}
"""By clues (17: as few as possible), the shares that naked singles, and hidden ones too, solved of sixty puzzles that
a plain generator made."""
SLOW = {36: 2600, 17: 175}
"""How many puzzles a minute that generator made."""


@pytest.fixture(scope="module")
def package(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package of a fresh render."""
    project = tmp_path_factory.mktemp("oracle") / "sudoku-oracle"
    render(template, project, {"architecture": "trm_titans_mag", "tracker": "none"})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(project / "src"))
        yield importlib.import_module("sudoku_oracle")


def units(side: int) -> list[list[int]]:
    n = round(side**0.5)
    rows = [[side * r + c for c in range(side)] for r in range(side)]
    columns = [[side * r + c for r in range(side)] for c in range(side)]
    boxes = [
        [side * (n * a + i) + n * b + j for i, j in product(range(n), repeat=2)] for a, b in product(range(n), repeat=2)
    ]
    return rows + columns + boxes


UNITS = {side: units(side) for side in (4, 9)}
PEERS = {
    side: [{other for unit in UNITS[side] if cell in unit for other in unit} - {cell} for cell in range(side**2)]
    for side in (4, 9)
}


def solutions(cells: list[int]) -> Iterator[list[int]]:
    """All solutions of a board, by trying the digits of the cell that has the fewest."""
    side = round(len(cells) ** 0.5)
    free = {
        cell: set(range(1, side + 1)) - {cells[peer] for peer in PEERS[side][cell]}
        for cell in range(side**2)
        if not cells[cell]
    }
    if not free:
        yield cells
        return
    at = min(free, key=lambda cell: len(free[cell]))
    for digit in free[at]:
        yield from solutions([*cells[:at], digit, *cells[at + 1 :]])


def by_singles(cells: list[int], hidden: bool) -> list[int]:
    """What one rule after the other, cell after cell and unit after unit, fills in."""
    cells = list(cells)
    before = None
    while before != cells:
        before = list(cells)
        for cell in (cell for cell in range(81) if not cells[cell]):
            free = set(range(1, 10)) - {cells[peer] for peer in PEERS[9][cell]}
            cells[cell] = free.pop() if len(free) == 1 else 0
        for unit, digit in product(UNITS[9] if hidden else [], range(1, 10)):
            open_to = [
                cell for cell in unit if not cells[cell] and digit not in {cells[peer] for peer in PEERS[9][cell]}
            ]
            if len(open_to) == 1 and digit not in {cells[cell] for cell in unit}:
                cells[open_to[0]] = digit
    return cells


def made(package: ModuleType, count: int, clues: int) -> np.ndarray:
    puzzles = importlib.import_module(f"{package.__name__}.tasks.sudoku.puzzles")
    rows: np.ndarray = puzzles.generated(9, count, (clues,), 0)
    return rows


@pytest.mark.parametrize("clues", [30, 17])
def test_puzzles_have_the_one_solution_that_a_plain_solver_finds(package: ModuleType, clues: int) -> None:
    for row in made(package, 12, clues):
        assert list(solutions(row["puzzle"].tolist())) == [row["solution"].tolist()]


def test_no_clue_of_a_minimal_puzzle_can_be_spared(package: ModuleType) -> None:
    for cells in made(package, 4, 17)["puzzle"].tolist():
        for at in (at for at in range(81) if cells[at]):
            found = solutions([*cells[:at], 0, *cells[at + 1 :]])
            assert next(found) != next(found)


def test_the_rules_solve_what_they_solve_one_cell_at_a_time(package: ModuleType) -> None:
    sudoku = importlib.import_module(f"{package.__name__}.tasks.sudoku.grids")
    boards = np.concatenate([made(package, 12, clues)["puzzle"] for clues in (36, 30, 17)])
    for hidden in (False, True):
        left = sudoku.digits(sudoku.propagate(sudoku.candidates(boards), hidden).candidates)
        assert left.tolist() == [by_singles(cells, hidden) for cells in boards.tolist()]


@pytest.mark.parametrize("clues", FACTS)
def test_puzzles_are_about_as_hard_as_those_of_a_plain_generator(package: ModuleType, clues: int) -> None:
    sudoku = importlib.import_module(f"{package.__name__}.tasks.sudoku.grids")
    start = sudoku.candidates(made(package, 256, clues)["puzzle"])
    for hidden, expected in enumerate(FACTS[clues]):
        left = sudoku.propagate(start, bool(hidden)).candidates
        assert (sudoku.digits(left) > 0).all(1).mean() == pytest.approx(expected, abs=0.25)


@pytest.mark.parametrize("clues", SLOW)
def test_puzzles_come_ten_times_as_fast_as_those_of_a_plain_generator(package: ModuleType, clues: int) -> None:
    made(package, 64, clues)
    started = time.process_time()
    made(package, 512, clues)
    assert 512 * 60 / (time.process_time() - started) > 10 * SLOW[clues]


def arrangements() -> np.ndarray:
    """The 128 ways to move the cells of a 4 x 4 board that its rules allow."""
    lines = [order for order in permutations(range(4)) if order[0] // 2 == order[1] // 2]
    cells = np.arange(16).reshape(4, 4)
    return np.array([x[np.ix_(r, c)].ravel() for x in (cells, cells.T) for r, c in product(lines, repeat=2)])


def renamed(grids: np.ndarray) -> np.ndarray:
    """Each grid with its first row as 1, 2, 3, 4, as one number."""
    names = np.argsort(grids[:, :4], 1) + 1
    return np.take_along_axis(names, grids - 1, 1) @ 5 ** np.arange(16)


def sole(grid: np.ndarray, grids: np.ndarray) -> np.ndarray:
    """For each set of cells, as bits, whether their digits leave no other grid."""
    several = np.zeros(2**16, dtype=bool)
    equal = (grids == grid) @ (1 << np.arange(16))
    several[equal[equal != 2**16 - 1]] = True
    for bit in range(16):
        sets = np.flatnonzero(~np.arange(2**16) >> bit & 1)
        several[sets] |= several[sets | 1 << bit]
    return ~several


def test_the_small_puzzles_are_all_there_are(package: ModuleType) -> None:
    """Every set of clues of the two grids, and one of those that a symmetry of the grid turns into each other."""
    puzzles = importlib.import_module(f"{package.__name__}.tasks.sudoku.puzzles")
    grids = np.array(list(solutions([0] * 16)))
    assert len(grids) == 288
    moves = arrangements()
    forms = {renamed(grid[moves]).min(): grid for grid in grids}
    counts = np.zeros(17, dtype=np.int64)
    for grid in forms.values():
        still = moves[renamed(grid[moves]) == renamed(grid[None])]
        clues = np.flatnonzero(sole(grid, grids))[:, None] >> np.arange(16) & 1
        smallest = np.min([clues[:, move] @ (1 << np.arange(16)) for move in still], 0)
        counts += np.bincount([int(number).bit_count() for number in np.unique(smallest)], minlength=17)
    assert len(forms) == 2 and counts.sum() == 4710
    every = puzzles.all_small(4710 - counts[16], tuple(range(4, 16)), 0)
    assert (np.bincount((every["puzzle"] > 0).sum(1), minlength=17)[:16] == counts[:16]).all()
