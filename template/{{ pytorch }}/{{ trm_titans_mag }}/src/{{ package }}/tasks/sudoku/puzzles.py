"""Sudoku puzzles with one solution: how they are made, kept, split and varied.

A 9 x 9 puzzle is a random grid without as many digits as can be spared. Of 4 x 4 puzzles, only 4710 are different up to
symmetry, so all of them are found. What was made is kept in `.cache/`, named by a hash of what decided it.

No two splits share a puzzle up to symmetry (`symmetry.py`). With 9 x 9 they do not share a solution either. With 4 x 4
they must: there are two grids up to symmetry, and a held-out puzzle is new in what is given, not in what is asked for.
"""

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ...engine.core.batch import Batch
from ...engine.core.cache import kept
from ...engine.core.config_io import fingerprint
from ...engine.core.errors import Problem
from ...engine.splits.division import Division, split_of
from ...engine.splits.leakage import Leakage, Sample, compare
from ...engine.splits.splits import SPLITS, Entry, lock
from ...engine.training.seeding import derive_seed
from .grids import SIDES, candidates, carved, drawn, grids, narrowed, propagate, search
from .symmetry import canonical, varied

FEWEST = {4: 4, 9: 17}
"""Clues that a puzzle with one solution has at least (McGuire, Tugemann & Civario 2014)."""
BLOCK = 1024
"""Puzzles that are made together."""
PATIENCE = 5.0
"""Seconds between two lines that say how far the making is."""


class Puzzles:
    """One split: `puzzle` and `solution` are (n, cells), 0 where a cell is blank.

    How hard a puzzle is, say `backtracks`, (n,), the guesses that a solver has to take back, and `rounds`, (n,), how
    often it applies the rules to all cells before its first guess. All 4 x 4 puzzles do without guesses.
    """

    def __init__(self, rows: np.ndarray) -> None:
        self.puzzle, self.solution = rows["puzzle"], rows["solution"]
        self.backtracks, self.rounds = rows["backtracks"], rows["rounds"]

    def __len__(self) -> int:
        return len(self.puzzle)

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> Batch:
        """`puzzle` and `solution`: (B, cells), int64; `backtracks` and `rounds`: (B,), int64."""
        boards = (self.puzzle[indices], self.solution[indices])
        puzzle, solution = self.shown(boards, noise)
        values = {
            "puzzle": puzzle,
            "solution": solution,
            "backtracks": self.backtracks[indices],
            "rounds": self.rounds[indices],
        }
        return {name: torch.from_numpy(value.astype(np.int64)) for name, value in values.items()}

    def shown(self, boards: tuple[np.ndarray, ...], noise: np.random.Generator | None) -> tuple[np.ndarray, ...]:
        """The boards as they are drawn: as they are."""
        return boards


class TrainingPuzzles(Puzzles):
    """The training split as it is drawn: under another symmetry each time."""

    def shown(self, boards: tuple[np.ndarray, ...], noise: np.random.Generator | None) -> tuple[np.ndarray, ...]:
        """The boards under a symmetry, one for each puzzle; how hard it is, is said of the puzzle as it is kept."""
        return boards if noise is None else varied(boards, noise)


class Sudoku(NamedTuple):
    """The data, split."""

    splits: dict[str, Puzzles]
    sha256: str
    leakage: Leakage
    """What the splits share: nothing, unless the grouping is changed."""


def prepare(side: int, count: int, clues: tuple[int, ...], seed: int, division: Division | None = None) -> Sudoku:
    """`count` puzzles in all, as many for each of the numbers in `clues`; more are left where none can be spared.

    With 4 x 4, all puzzles with these numbers of clues that are different up to symmetry, or `count` of them.

    Raises:
        Problem: there are no such puzzles, or they are not those of `data.lock.json`.
    """
    require(side, count, clues)
    rows = made(side, count, clues, seed)
    keys = [fingerprint(form.tobytes()) for form in rows["form"]]
    groups = keys if side == min(SIDES) else [fingerprint(form[: side**2].tobytes()) for form in rows["form"]]
    split = np.array([split_of(group, division) for group in groups])
    samples = [Sample(f"puzzle {row}", *of) for row, of in enumerate(zip(split.tolist(), keys, groups, strict=True))]
    parts = {name: rows[split == name] for name in SPLITS}
    for name, part in parts.items():
        if not len(part):
            raise Problem(f"{count} puzzles leave none for the {name} split: make more of them")
    source = f"{count} Sudoku puzzles of side {side}, clues {' '.join(map(str, clues))}, seed {seed}"
    sizes = {name: len(part) for name, part in parts.items()}
    digest = lock(source, [Entry("puzzles", rows.nbytes, fingerprint(rows.tobytes()), sizes)], division)
    splits = {name: (TrainingPuzzles if name == "train" else Puzzles)(part) for name, part in parts.items()}
    return Sudoku(splits, digest, compare(samples, [], "equal up to a symmetry of Sudoku"))


def require(side: int, count: int, clues: tuple[int, ...]) -> None:
    """Refuse sizes that no puzzle has."""
    if side not in SIDES:
        raise Problem(f"Sudoku with {side} digits: there are boards with {' and '.join(map(str, SIDES))}")
    if count < 1:
        raise Problem(f"{count} puzzles: ask for at least one")
    if not clues or not all(FEWEST[side] <= number < side**2 for number in clues):
        raise Problem(f"clues {clues}: a puzzle with {side} digits has from {FEWEST[side]} to {side**2 - 1}")


def made(side: int, count: int, clues: tuple[int, ...], seed: int) -> np.ndarray:
    """The puzzles, which are made once."""

    def make(folder: Path) -> None:
        rows = all_small(count, clues, seed) if side == min(SIDES) else generated(side, count, clues, seed)
        np.save(folder / "puzzles.npy", rows)

    name = f"sudoku-{fingerprint(f'1 {side} {count} {clues} {seed}')[:16]}"
    rows: np.ndarray = np.load(kept(name, f"making {count} puzzles", make) / "puzzles.npy")
    return rows


def generated(side: int, count: int, clues: tuple[int, ...], seed: int) -> np.ndarray:
    """Puzzles of random grids. Each block is a function of the seed and its place, so any number of threads will do."""

    def block(start: int) -> np.ndarray:
        noise = np.random.default_rng(derive_seed(seed, "sudoku", side, start))
        wanted = np.array(clues)[np.arange(start, min(start + BLOCK, count)) % len(clues)]
        solutions = grids(side, len(wanted), noise)
        return described(carved(solutions, wanted, noise), solutions)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(told(pool.map(block, range(0, count, BLOCK)), count)))


def told(blocks: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """The blocks; from time to time, a line says how fast they come."""
    done, started = 0, time.perf_counter()
    said = started
    for block in blocks:
        done += len(block)
        now = time.perf_counter()
        if now - said >= PATIENCE:
            said, rate = now, done / (now - started)
            left = (count - done) / rate
            print(f"{done} of {count} puzzles, {rate:,.0f} a second, {left:.0f} s left", file=sys.stderr, flush=True)
        yield block


def all_small(count: int, clues: tuple[int, ...], seed: int) -> np.ndarray:
    """4 x 4 puzzles: `count` of those that are different up to symmetry, each as a random one of its copies.

    Taking clues away, one at a time, leads to all: what has one solution has it with any further clue too.
    """
    full = grids(4, 100, np.random.default_rng(0))  # there are two up to symmetry
    forms = np.unique(canonical(full, full), axis=0)
    found = []
    for left in reversed(range(min(clues), 16)):
        forms = with_a_clue_less(forms)
        found += [forms] if left in clues else []
    every = np.concatenate(found)
    if count > len(every):
        raise Problem(
            f"{count} puzzles: only {len(every)} with these clues are different up to symmetry, ask for those"
        )
    noise = np.random.default_rng(derive_seed(seed, "sudoku", 4))
    solutions, puzzles = boards_of(every[noise.permutation(len(every))[:count]])
    puzzles, solutions = varied((puzzles, solutions), noise)
    return described(puzzles, solutions)


def with_a_clue_less(forms: np.ndarray) -> np.ndarray:
    """The forms of the puzzles with one solution that have a clue less than one of these."""
    solutions, puzzles = boards_of(forms)
    row, cell = np.nonzero(puzzles)
    solutions, puzzles = solutions[row], puzzles[row]
    puzzles[np.arange(len(cell)), cell] = 0
    sole = search(candidates(puzzles)).counts == 1
    return np.unique(canonical(solutions[sole], puzzles[sole]), axis=0)


def boards_of(forms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solutions and puzzles that have these forms."""
    grid, clue = np.split(forms, 2, axis=1)
    return grid + np.uint8(1), (grid + np.uint8(1)) * clue


def described(puzzles: np.ndarray, solutions: np.ndarray) -> np.ndarray:
    """Puzzles with their solutions, how hard they are, and their forms under symmetry, one a row."""
    cells, start = puzzles.shape[1], candidates(puzzles)
    boards = [("puzzle", "u1", cells), ("solution", "u1", cells), ("form", "u1", 2 * cells)]
    rows = np.empty(len(puzzles), dtype=[*boards, ("backtracks", "<u4"), ("rounds", "<u4")])
    rows["puzzle"], rows["solution"], rows["form"] = puzzles, solutions, canonical(solutions, puzzles)
    rows["backtracks"], rows["rounds"] = search(start).backtracks, propagate(start).rounds
    return rows


def baselines(puzzles: Puzzles) -> dict[str, dict[str, float]]:
    """What the rules alone reach: the share of boards that are wholly right (`solved`), and of all cells (`cells`).

    A cell that a method leaves open gets one of the digits that the method leaves possible.
    """
    right = {name: guess == puzzles.solution for name, guess in guesses(puzzles.puzzle)}
    return {
        "solved": {name: float(cells.all(1).mean()) for name, cells in right.items()},
        "cells": {name: float(cells.mean()) for name, cells in right.items()},
    }


def guesses(puzzle: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The boards as simple methods complete them."""
    start, noise = candidates(puzzle), np.random.default_rng(0)
    methods = {
        "random digit that no clue forbids": narrowed(start, hidden=False)[0],
        "naked singles": propagate(start, hidden=False).candidates,
        "naked and hidden singles": propagate(start).candidates,
    }
    for name, left in methods.items():
        yield name, drawn(left, noise).T + 1
