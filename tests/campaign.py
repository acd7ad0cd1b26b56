"""Trainings that are killed, and run out of disk space, at moments drawn from a seed.

    python tests/campaign.py [--kills 100] [--full-disks 30] [--seed 0] [--quick]

Each attempt is a process that begins as a copy of this one, with everything imported, and runs `train smoke`, or
`train --resume` once there is a run. It goes through phases (`PHASES`); a strike waits until one of them begins, and
falls a share of the phase's usual length later:

call    SIGKILL at a function call that is counted, the same one with the same seed
clock   SIGKILL after a time, which may fall into the middle of a write
disk    nothing ends: all but a few bytes of the disk, a small tmpfs, are filled up

An attempt that no strike reaches ends the training, which must then equal one that nothing disturbed: weights,
optimizer, moving average, record and reported metrics, all to the bit.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import matplotlib.backends.backend_agg
import torch
import torch._dynamo
from outcome import differences
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformer_demo.engine.cli.main import main
from transformer_demo.engine.core import runs
from transformer_demo.engine.evaluation import evaluation
from transformer_demo.engine.report import results
from transformer_demo.engine.training.trainer import Trainer

PHASES = ("start", "step", "validation", "checkpoint", "report")
"""Until the first step; a step and its record; a validation; a checkpoint's write; the weights and the report."""
WEIGHTS = (2, 3, 2, 4, 3)
"""How often a strike waits for each phase."""
FARTHEST = {"start": 1, "step": 8, "validation": 1, "checkpoint": 2, "report": 1}
"""It waits until the phase begins for the first time, or at most for this one."""
STEPS = 40
TRAIN = ["train", "smoke", "--data.path", "text", "--train.steps", str(STEPS), "--train.save-every", "5"]
OPTIONS = ["--train.log-every", "1", "--train.ema", "0.9", "--train.validate-every", "10", "--train.device", "cpu"]
DOCUMENTS = 80
DISK_MB = 48
CONTEXT = multiprocessing.get_context("fork")
IMPORTED = (matplotlib.backends.backend_agg, torch._dynamo, evaluation, results)
"""What a training imports when it comes to it, and an attempt finds here."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """What happens to an attempt, and when."""

    kind: str
    phase: str
    entry: int
    """It waits until the phase begins for this manieth time."""
    share: float
    """How far into the phase, of its usual length; with `disk`, a quarter leaves nothing free, the rest up to 1.5
    times what a checkpoint takes."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What was measured on trainings that nothing disturbed."""

    calls: dict[str, float]
    """Function calls that a phase makes, in the mean."""
    seconds: dict[str, float]
    checkpoint_bytes: int


@dataclass
class Outcome:
    """How an attempt ended."""

    code: int
    phase: str
    said: str


@dataclass
class Tally:
    """What came of a campaign."""

    trainings: int = 0
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many strikes of each kind ended an attempt, by the phase that it was in."""
    attempts: int = 0
    faults: list[str] = field(default_factory=list)
    """What was not as it must be, with the strikes that led to it."""

    @property
    def done(self) -> int:
        return sum(self.struck.values()) + len(self.faults)


def draw(seed: int, kinds: tuple[str, ...]) -> Iterator[Strike]:
    """The strikes of a seed, without end."""
    rng = random.Random(seed)
    while True:
        (phase,) = rng.choices(PHASES, WEIGHTS)
        yield Strike(kind=rng.choice(kinds), phase=phase, entry=rng.randint(1, FARTHEST[phase]), share=rng.random())


class Watch:
    """Follows a training through its phases, in memory that is left when it is killed."""

    def __init__(self) -> None:
        self.phase = CONTEXT.RawValue("i", 0)
        self.entries, self.calls = (CONTEXT.RawArray("l", len(PHASES)) for _ in range(2))
        self.seconds = CONTEXT.RawArray("d", len(PHASES))
        self.since = 0.0
        self.when: dict[tuple[str, int], Callable[[], None]] = {}
        """What to do when a phase begins for the manieth time."""

    def enter(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[self.phase.value] += now - self.since if self.since else 0.0
        self.since, self.phase.value = now, PHASES.index(phase)
        self.entries[self.phase.value] += 1
        self.when.get((phase, self.entries[self.phase.value]), lambda: None)()

    def follow(self) -> None:
        """Let the trainer say which phase it is in."""
        for name, phase in (("take", "step"), ("validate", "validation"), ("save", "checkpoint"), ("finish", "report")):
            setattr(Trainer, name, self.watched(getattr(Trainer, name), phase))
        self.enter("start")

    def watched(self, method: Callable[..., Any], phase: str) -> Callable[..., Any]:
        def watching(*arguments: Any) -> Any:
            self.enter(phase)
            return method(*arguments)

        return watching

    def count(self, frame: FrameType, event: str, argument: object) -> None:
        """One more call in this phase; for `sys.setprofile`."""
        self.calls[self.phase.value] += event in ("call", "c_call")


def kill_at_call(number: float) -> None:
    """Let this process kill itself at a function call from now on."""
    left = int(number)

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= event in ("call", "c_call")
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def fill(disk: Path, free: float) -> None:
    """Leave that many bytes of a disk."""
    with (disk / "ballast").open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - int(free))))


class Campaign:
    """Trainings in a folder, and what became of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.texts = folder / "texts"
        self.texts.mkdir(parents=True)
        modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*/*.py"))
        for file in [file for file in modules if 500 < file.stat().st_size < 5000][:DOCUMENTS]:
            shutil.copyfile(file, self.texts / f"{file.parent.name}-{file.stem}.txt")
        self.never = self.fresh(folder / "never")
        self.usual = self.measure()

    def fresh(self, project: Path) -> Path:
        """A folder with the text alone, in the place of what was there."""
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(self.texts, project / "text")
        return project

    def measure(self) -> Usual:
        """Train undisturbed twice, with and without counting calls; both must be equal."""
        timed, counted = Watch(), Watch()
        again = self.fresh(self.folder / "again")
        for project, watch, profile in ((self.never, timed, None), (again, counted, counted.count)):
            outcome = self.attempt(project, watch, profile=profile)
            assert outcome.code == 0, outcome.said
        assert not (found := differences(run_of(self.never), run_of(again))), found
        newest = run_of(self.never) / "checkpoints" / f"step-{STEPS}"
        entries = dict(zip(PHASES, timed.entries, strict=True))
        return Usual(
            calls={name: counted.calls[n] / entries[name] for n, name in enumerate(PHASES)},
            seconds={name: timed.seconds[n] / entries[name] for n, name in enumerate(PHASES)},
            checkpoint_bytes=sum(file.stat().st_size for file in newest.iterdir()),
        )

    def attempt(
        self, project: Path, watch: Watch, strike: Strike | None = None, profile: Callable[..., None] | None = None
    ) -> Outcome:
        """Train, or resume the run that is there, in a process of its own."""
        words = ["train", "--resume"] if list(project.glob("runs/[0-9]*")) else [*TRAIN, *OPTIONS]
        said = self.folder / "said.txt"
        reader, writer = os.pipe()
        if strike:
            watch.when[strike.phase, strike.entry] = self.action(strike, project.parent, writer)

        def work() -> None:
            os.chdir(project)
            sys.stdout = sys.stderr = said.open("w", encoding="utf-8")
            torch.set_num_threads(1)
            sys.setprofile(profile)
            watch.follow()
            main(words)
            watch.enter("report")

        process = CONTEXT.Process(target=work)
        process.start()
        os.close(writer)
        if strike and os.read(reader, 1):
            time.sleep(strike.share * self.usual.seconds[strike.phase])
            process.kill()
        os.close(reader)
        process.join(120)
        assert process.exitcode is not None, "an attempt hangs"
        return Outcome(process.exitcode, PHASES[watch.phase.value], said.read_text(encoding="utf-8"))

    def action(self, strike: Strike, disk: Path, writer: int) -> Callable[[], None]:
        """What the struck process does when its moment comes."""
        if strike.kind == "call":
            return lambda: kill_at_call(strike.share * self.usual.calls[strike.phase])
        if strike.kind == "clock":
            return lambda: os.write(writer, b"!") and None
        return lambda: fill(disk, max(0, 2 * strike.share - 0.5) * self.usual.checkpoint_bytes)

    def run(self, strikes: Iterator[Strike], count: int, disk: Path, told: Callable[[Tally], None]) -> Tally:
        """Train on this disk, again and again until `count` strikes have ended an attempt; compare every training."""
        tally, since = Tally(), list[Strike]()
        project = self.fresh(disk / "struck")
        while tally.done < count or since:
            strike = next(strikes) if tally.done < count else None
            outcome = self.attempt(project, Watch(), strike)
            (disk / "ballast").unlink(missing_ok=True)
            tally.attempts += 1
            since += [strike] if strike else []
            wrong = judge(outcome, strike)
            if strike and not wrong and outcome.code:
                tally.struck[strike.kind, outcome.phase] += 1
            elif outcome.code == 0 or wrong:
                tally.trainings += 1
                wrong = wrong or differences(run_of(self.never), run_of(project))
                tally.faults += [f"{line}; after {since}" for line in wrong]
                project, since = self.fresh(project), []
            told(tally)
        return tally


def run_of(project: Path) -> Path:
    [run] = (project / runs.RUNS).glob("[0-9]*")
    return run


def judge(outcome: Outcome, strike: Strike | None) -> list[str]:
    """What is wrong with an attempt's end, which is its own, a kill, or one line that says that the disk is full."""
    if outcome.code == 0 or (strike and strike.kind != "disk" and outcome.code == -signal.SIGKILL):
        return []
    errors = [line for line in outcome.said.splitlines() if line.startswith("error: ")]
    told = len(errors) == 1 and ("free space" in errors[0] or "No space left" in errors[0])
    if strike and strike.kind == "disk" and outcome.code == 1 and told and "Traceback" not in outcome.said:
        return []
    return [f"an attempt ended with {outcome.code} while in {outcome.phase} and said: {outcome.said[-600:]}"]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of a few megabytes, or None where this user may mount none."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def table(tally: Tally, kinds: dict[str, str]) -> Iterator[str]:
    """How many attempts were struck in which phase."""
    yield f"{'':24}" + "".join(f"{phase:>12}" for phase in PHASES)
    for kind, words in kinds.items():
        yield f"{words:24}" + "".join(f"{tally.struck[kind, phase]:12}" for phase in PHASES)
    told = f"{sum(tally.struck.values())} in {tally.attempts} attempts at {tally.trainings} trainings"
    equal = "every training ended like the undisturbed one, to the bit"
    yield f"{told}: {equal if not tally.faults else f'{len(tally.faults)} FAULTS'}"
    yield from tally.faults


@contextmanager
def progress(name: str, count: int) -> Iterator[Callable[[Tally], None]]:
    """A bar with the time that is left; lines where the output is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started, shown = time.monotonic(), 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        row = bar.add_task(name, total=count)

        def told(tally: Tally) -> None:
            nonlocal shown
            done = tally.done
            bar.update(row, completed=done)
            if done >= shown + count / 10 and bar.disable:
                shown = done
                left = (time.monotonic() - started) * (count - done) / done
                print(f"{name}: {done} of {count}, about {left:.0f} s left", file=sys.stderr, flush=True)

        yield told


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--full-disks", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="10 kills and 4 full disks")
    return parser.parse_args()


def conduct(folder: Path, kills: int, full_disks: int, seed: int) -> int:
    """A whole campaign, printed; the number of faults."""
    started, campaign = time.monotonic(), Campaign(folder)
    with progress("kills", kills) as told:
        tally = campaign.run(draw(seed, ("call", "clock")), kills, folder, told)
    print(f"kills, seed {seed}", *table(tally, {"call": "at a call", "clock": "at a time"}), sep="\n")
    faults = len(tally.faults)
    with small_disk(folder / "disk") as disk, progress("full disks", full_disks) as told:
        if disk is None:
            print("\nfull disks: skipped, since this user may not mount a tmpfs")
        else:
            tally = campaign.run(draw(seed, ("disk",)), full_disks, disk, told)
            print(f"\nfull disks, seed {seed}", *table(tally, {"disk": "ended with an error"}), sep="\n")
            faults += len(tally.faults)
    print(f"\n{time.monotonic() - started:.0f} s")
    return faults


if __name__ == "__main__":
    chosen = options()
    kills, full_disks = (10, 4) if chosen.quick else (chosen.kills, chosen.full_disks)
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(min(conduct(Path(temporary), kills, full_disks, chosen.seed), 1))
