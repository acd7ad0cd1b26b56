"""The frequency of a table: the difference that most rows have, and what does not fit it."""

import numpy as np

from ..core.errors import Problem
from .grid import DAY, Grid, beginning, calendar, counted, duration, grid_of, places, told
from .rows import Rows, collapsed, first_of

RUN = 5
"""Equal differences in a row that are no gaps but another frequency."""


def inferred(rows: Rows) -> Grid:
    """The grid that most sorted rows lie on: the most frequent difference, in calendar months where they fit as well.

    Raises:
        Problem: no series has two rows.
    """
    within = np.diff(rows.series) == 0
    if not within.any():
        raise Problem("no series has two rows, so nothing tells the frequency: name it by --data.freq")
    if rows.stamps.kind == "integer":
        return Grid("step", modal(np.diff(rows.stamps.time)[within]))
    wall, candidates = rows.stamps.wall, []
    span = modal(np.diff(wall)[within])
    if span >= 28 * DAY:
        months = modal(np.maximum(np.diff(calendar(wall).month)[within], 1))
        candidates += [Grid("month", months, ends=True), Grid("month", months)]
    if span % DAY == 0:
        weekdays = bool(np.is_busday((wall // DAY).astype("datetime64[D]")).all()) and len(wall) > RUN
        candidates += [Grid("weekday", 1)] * (span == DAY and weekdays) + [Grid("day", span // DAY)]
    else:
        candidates.append(Grid("span", modal(np.diff(rows.stamps.time)[within])))
    return best(rows, candidates)


def named(rows: Rows, text: str) -> Grid:
    """The grid that `--data.freq` names; of months, from their first days or their last, as the sorted rows have them.

    Raises:
        Problem: it names none, or dates are to have steps, or integers days.
    """
    grid = grid_of(text)
    if (grid.unit == "step") != (rows.stamps.kind == "integer"):
        what = "integers, which have steps" if rows.stamps.kind == "integer" else "dates, which have no steps"
        raise Problem(f"--data.freq {text} does not go with times that are {what}: name another, or leave it out")
    return best(rows, [grid._replace(ends=True), grid] if grid.unit == "month" else [grid])


def best(rows: Rows, grids: list[Grid]) -> Grid:
    """The grid that most sorted rows lie on; the first of several."""
    return max(grids, key=lambda grid: float(placed(rows, grid)[1].mean()))


def modal(values: np.ndarray) -> int:
    """The most frequent of whole numbers; the least of several."""
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])


def placed(rows: Rows, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The place of each sorted row on the grid of its series' first row, and whether it lies there exactly."""
    axis = rows.axis(grid)
    return places(grid, axis, first_of(rows.series, axis))


def regular(rows: Rows, grid: Grid, how: str, name: str, said: list[str]) -> tuple[Rows, Grid, np.ndarray]:
    """Sorted rows on the grid, the grid, and their places.

    Raises:
        Problem: some lie off it, and nothing says what to make of them.
    """
    place, exact = placed(rows, grid)
    if exact.all():
        return rows, grid, place
    if how == "error":
        off = np.flatnonzero(~on_most(rows, grid, exact))
        raise Problem(
            f"{name} is irregular: {len(off):,} of {len(exact):,} rows lie off the grid of {told(grid)}, the first "
            f"{rows.at(off[0])}; {spread(rows)}{by_another_clock(rows)}: "
            "--data.irregular mean or last makes one row of each interval, as long as --data.freq says"
        )
    axis = rows.axis(grid)
    row = int(axis.argmin())
    grid = grid._replace(ends=False)
    first = np.full_like(axis, beginning(grid, int(axis[row]), int(rows.stamps.wall[row])))
    rows = collapsed(rows.moved(grid, places(grid, axis, first)[0], first), how)
    said.append(
        f"of {len(axis):,} rows, {len(rows.series):,} are made: the {how} of each {told(grid).removeprefix('1 ')}"
    )
    return rows, grid, placed(rows, grid)[0]


def on_most(rows: Rows, grid: Grid, exact: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a row lies on the grid of most of its series; of months and working days, of the first."""
    if grid.unit in ("month", "weekday"):
        return exact
    beyond = rows.axis(grid) % (grid.size * (DAY if grid.unit == "day" else 1))
    _, kinds, counts = np.unique(np.stack([rows.series, beyond]), axis=1, return_inverse=True, return_counts=True)
    alike = counts[kinds]
    most = np.zeros(len(rows.ids), np.int64)
    np.maximum.at(most, rows.series, alike)
    on = alike == most[rows.series]
    return exact if on.all() else on


def spread(rows: Rows) -> str:
    """The differences between sorted rows, in words."""
    differences = np.diff(rows.stamps.time)[np.diff(rows.series) == 0]
    most = modal(differences)
    name = str if rows.stamps.kind == "integer" else duration
    share = 100 * float((differences == most).mean())
    least, largest = name(int(differences.min())), name(int(differences.max()))
    return f"the differences go from {least} to {largest}, and {share:.0f} % are {name(most)}"


def by_another_clock(rows: Rows) -> str:
    """What may help, where days are of a zone that is not named."""
    if rows.stamps.kind == "aware" and rows.stamps.zone == "UTC":
        return " (in UTC; --data.zone names the zone whose days and months are meant)"
    return ""


def refuse_changes(rows: Rows, grid: Grid, sparse: bool, name: str) -> None:
    """Refuse sorted rows of which a part has another frequency; one that is coarser may be meant to be `sparse`.

    Raises:
        Problem: some rows that follow each other have equal differences that are not the grid's.
    """
    place, exact = placed(rows, grid)
    if sparse and exact.all():
        return
    difference, usual = np.diff(rows.axis(grid)), grid.size * (DAY if grid.unit == "day" else 1)
    if grid.unit in ("month", "weekday"):  # some are longer than others, so whole steps are compared
        usual = 1
        difference = np.where(exact[1:] & exact[:-1], np.diff(place), -difference)
    difference = np.where(np.diff(rows.series) == 0, difference, usual)
    if len(difference) < RUN:
        return
    windows = np.lib.stride_tricks.sliding_window_view(difference, RUN)
    runs = np.flatnonzero((windows[:, 0] != usual) & (windows == windows[:, :1]).all(1))
    if len(runs):
        raise Problem(
            f"the frequency of {name} is not {told(grid)} throughout: it is {other(grid, int(difference[runs[0]]))} "
            f"from {rows.at(runs[0])} on: --data.freq and --data.irregular mean bring all to one"
        )


def other(grid: Grid, difference: int) -> str:
    """A difference that is not the grid's, in words."""
    if grid.unit in ("span", "day") or difference < 0:
        return duration(abs(difference))
    if grid.unit == "weekday":
        return counted(difference, "working day")
    return told(Grid(grid.unit, difference * (grid.size if grid.unit == "month" else 1)))
