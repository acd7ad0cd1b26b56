"""What a person sees while the model trains."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..statistics.metrics import rounded

SECONDS_BETWEEN_UPDATES = 0.2


class Display:
    """A progress bar with loss, rate and remaining time; plain lines where the output is not a terminal."""

    def __init__(self, step: int, steps: int, unit: str, shown: bool) -> None:
        self.steps, self.unit, self.shown = steps, unit, shown
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self.console,
            auto_refresh=False,
            disable=not (shown and self.console.is_terminal),
        )
        self.row = self.bar.add_task("training", total=steps, completed=step, loss=float("nan"), rate="")
        self.first_step, self.started = step, time.perf_counter()
        self.updated = 0.0
        self.counted = 0.0

    def __enter__(self) -> "Display":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    @property
    def rate(self) -> float:
        """Units of the task a second, since this process began to train."""
        return self.counted / max(time.perf_counter() - self.started, 1e-9)

    def update(self, step: int, loss: float, weight: float) -> None:
        """One more step was taken, which counted `weight` units."""
        self.counted += weight
        now = time.perf_counter()
        if now - self.updated >= SECONDS_BETWEEN_UPDATES and not self.bar.disable:
            self.updated = now
            self.bar.update(self.row, completed=step, loss=loss, rate=f"{self.rate:,.0f} {self.unit}/s")
            self.bar.refresh()

    def validated(self, step: int, loss: float, name: str, value: float, best: bool) -> None:
        """A validation was made."""
        remaining = (self.steps - step) * (time.perf_counter() - self.started) / max(step - self.first_step, 1)
        measured = f"{name.replace('_', ' ')} {rounded(value)}{' *' if best else ''}"
        line = f"step {step}/{self.steps}  loss {rounded(loss)}  {measured}"
        if self.bar.disable:
            line += f"  {self.rate:,.0f} {self.unit}/s  {remaining:.0f} s left"
        self.say(line)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if not self.shown:
            return
        if self.bar.disable:
            print(line, file=sys.stderr, flush=True)
        else:
            self.console.print(line, highlight=False, markup=False)


def measuring(what: str) -> None:
    """Tell what is being measured. A line, not a bar: drawing one would take time from what is measured."""
    print(f"measuring {what}", file=sys.stderr)
