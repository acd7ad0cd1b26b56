"""A search over configurations with Optuna, which a kill does not lose.

    the sampler's chance     a function of (seed, how many trials came before): nothing to save
    a trial and its values   in the study's database
    what it has trained      in its run folder, an ordinary one
    that its process lives   a lock beside the database, which dies with the process

so that a sweep that was killed and started again makes the trials that it would have made. Trials are scored on the
validation split; the test split is sealed for them as for every training.
"""

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.importance import get_param_importances
from optuna.pruners import MedianPruner
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ..core.config_io import differences, from_json, to_json
from ..core.errors import Diverged, Problem
from ..core.files import save_figure
from ..core.table import aligned
from ..task import Config
from ..training.parallel import World
from ..training.validation import measure
from .train_or_reuse import estimate, measured, trained
from .trials import TAKES_UP, KeyedTPE, finished, taken_up, trial_hooks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Search = Callable[[Trial, Any], Config]
"""Makes the configuration of a trial from the one to start from; search.py has the project's."""
SWEEPS = Path("sweeps")
FEWEST = 10
"""With fewer trials, the better ones are too few to have something in common."""


@dataclass(frozen=True)
class Objective:
    """The first metric: what a trial is judged by."""

    name: str
    higher_is_better: bool

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    @classmethod
    def of(cls, config: Config) -> "Objective":
        """Found by measuring an untrained model on one batch."""
        task = config.task()
        _, metrics = measure(task, task.model(), "validation", config.train.micro_batch, world=World(), seed=0, limit=1)
        name, metric = next(iter(metrics.items()))
        return cls(name, metric.higher_is_better)


class Sweep:
    """A study, in a database that several processes and machines may share."""

    def __init__(self, name: str, config: Config, search: Search, storage: str | None = None) -> None:
        if Path(name).name != name:
            raise Problem(f"--study {name} must be a plain name, such as first")
        self.name, self.config, self.search, self.objective = name, config, search, Objective.of(config)
        SWEEPS.mkdir(exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # Two processes that begin a database at once would both make its tables.
        with FileLock(SWEEPS / ".lock"):
            self.storage = opened_storage(storage or f"sqlite:///{(SWEEPS / name).as_posix()}.db")
            self.study = optuna.create_study(
                study_name=name,
                storage=self.storage,
                sampler=KeyedTPE(config.seed),
                pruner=MedianPruner(n_warmup_steps=config.train.warmup_steps),
                direction="maximize" if self.objective.higher_is_better else "minimize",
                load_if_exists=True,
            )

    def __enter__(self) -> "Sweep":
        """Confirm that the study is about this configuration and these data."""
        data = self.config.task().data_hash()
        begun = self.study.user_attrs.get("begun")
        if begun is None:
            self.study.set_user_attr("begun", {"config": to_json(self.config), "data": data})
            return self
        changed = differences(from_json(type(self.config), begun["config"]), self.config)
        changed += [] if begun["data"] == data else ["other data"]
        if changed:
            raise Problem(f"the study {self.name} was begun otherwise ({'; '.join(changed)}): name another --study")
        return self

    def __exit__(self, *exception: object) -> None:
        self.storage.remove_session()
        self.storage.engine.dispose()

    def run(self, count: int) -> None:
        """Make trials until so many of the study are finished."""
        self.take_up()
        while len(finished(self.study)) < count:
            trial = self.study.ask()
            with self.alive(trial.number):
                self.make(trial)
            self.take_up()

    def lock(self, number: int) -> Path:
        return SWEEPS / f".{self.name}-{number}.lock"

    @contextmanager
    def alive(self, number: int) -> Iterator[None]:
        """Hold the lock that says that a trial's process lives."""
        with FileLock(self.lock(number)):
            yield
        self.lock(number).unlink(missing_ok=True)

    def take_up(self) -> None:
        """Queue the trials of dead processes again; whichever process makes one next resumes its run.

        Only of trials that were begun in this folder is it known. Those of other machines are left to these, and do not
        count before they are finished.
        """
        for number in [trial.number for trial in self.study.get_trials(states=[TrialState.RUNNING])]:
            if not self.lock(number).exists():
                continue
            with suppress(Timeout), FileLock(self.lock(number), timeout=0):
                every = self.study.get_trials(deepcopy=False)
                if every[number].state != TrialState.RUNNING:
                    continue
                if number not in taken_up(every):
                    self.study.enqueue_trial(every[number].params, {TAKES_UP: number})
                self.study.tell(number, state=TrialState.FAIL)

    def make(self, trial: Trial) -> None:
        """Train and score one trial.

        Raises:
            Problem: nothing can be trained here, whatever the trial; it will be taken up again.
        """
        try:
            config = self.search(trial, self.config)
        except Problem as problem:
            print(f"trial {trial.number} is impossible: {problem}", file=sys.stderr)
            self.study.tell(trial, state=TrialState.FAIL)
            return
        trial.set_user_attr("config", to_json(config))
        print(f"trial {trial.number}: {described(trial.params)}", file=sys.stderr)
        try:
            task = config.task()
            run = trained(config, task, hooks=trial_hooks(trial))
        except optuna.TrialPruned:
            print(f"trial {trial.number} was pruned", file=sys.stderr)
            self.study.tell(trial, state=TrialState.PRUNED)
        except Diverged as diverged:
            print(f"trial {trial.number}: {diverged}", file=sys.stderr)
            # To the sampler, nothing is worse than a trial that was stopped at no number; it ignores failed ones.
            trial.report(math.nan, config.train.steps)
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            trial.set_user_attr("run", run.as_posix())
            self.study.tell(trial, measured(run, config, task)[self.objective.name].value)

    def best(self) -> list[FrozenTrial]:
        """The trials that were trained to their end, the best first.

        Raises:
            Problem: there is none.
        """
        complete = [trial for trial in finished(self.study) if trial.state == TrialState.COMPLETE]
        if not complete:
            raise Problem(f"no trial of {self.name} was trained to its end: change search.py, and name another --study")
        return sorted(complete, key=lambda trial: float(trial.values[0]), reverse=self.objective.higher_is_better)

    def table(self, rows: int = 5) -> list[str]:
        """Lines about the best trials."""
        lines = [("trial", self.objective.title, "run", "")]
        for trial in self.best()[:rows]:
            run, params = trial.user_attrs["run"], described(trial.params)
            lines.append((str(trial.number), f"{trial.values[0]:.4f}", run, params))
        return aligned(lines, ">5", ">16", "<", "<")

    def caution(self, seeds: int) -> str:
        """What the best trial's figure is worth: its configuration is trained with as many new seeds."""
        best, count = self.best()[0], len(finished(self.study))
        chosen = f"Trial {best.number} is the best of {count}, for its luck too"
        if not seeds:
            return f"{chosen}: --confirm 3 trains it with new seeds, and says by how much its figure flatters."
        config = from_json(type(self.config), best.user_attrs["config"])
        metrics = []
        for number in range(1, seeds + 1):
            fresh = replace(config, seed=config.seed + number)
            task = fresh.task()
            metrics.append(measured(trained(fresh, task), fresh, task)[self.objective.name])
        again = estimate([metric.value for metric in metrics], limits=metrics[0].limits)
        gain = best.values[0] - again.mean
        side = "better" if (gain > 0) == self.objective.higher_is_better else "worse"
        return (
            f"{chosen}. With {seeds} new seeds: {self.objective.title} {again}.\n"
            f"The search's own figure is {abs(gain):.4f} {side} than that. Quote the new one."
        )

    def plot(self) -> Path:
        """How the search went, and which parameters mattered."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        self.plot_history(left)
        self.plot_importances(right)
        file = SWEEPS / f"{self.name}.png"
        save_figure(figure, file)
        return file

    def plot_history(self, axes: "Axes") -> None:
        """Every trial's figure, and the best so far."""
        from matplotlib.ticker import MaxNLocator

        complete = sorted(self.best(), key=lambda trial: trial.number)
        numbers, values = [trial.number for trial in complete], [trial.values[0] for trial in complete]
        best = np.maximum if self.objective.higher_is_better else np.minimum
        axes.step(numbers, best.accumulate(values), where="post", label="best so far")
        axes.plot(numbers, values, "o", color="C0", label="trained to its end")
        pruned = [trial for trial in finished(self.study) if trial.state == TrialState.PRUNED and trial.values]
        axes.plot(
            [trial.number for trial in pruned],
            [trial.values[0] for trial in pruned],
            "x",
            color="grey",
            label="stopped early",
        )
        axes.set(xlabel="trial", ylabel=self.objective.title, title="How the search went")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)

    def plot_importances(self, axes: "Axes") -> None:
        """What the better trials have in common: shares of the parameters by PED-ANOVA (Watanabe et al. 2023)."""
        if len(self.best()) < FEWEST:
            axes.set_title(f"What mattered: to be seen from {FEWEST} trials on")
            axes.set_axis_off()
            return
        with warnings.catch_warnings():
            # Where the better trials cannot be told from the others, all shares are equal, and it warns of that.
            warnings.simplefilter("ignore", UserWarning)
            shares = get_param_importances(self.study)
        names = sorted(shares, key=lambda name: shares[name])
        axes.barh(names, [shares[name] for name in names])
        axes.set(xlabel="share", title="What mattered (PED-ANOVA)")


def opened_storage(url: str) -> RDBStorage:
    """The database of a study.

    Raises:
        Problem: it cannot be opened.
    """
    try:
        return RDBStorage(url)
    except (ImportError, SQLAlchemyError, ValueError) as error:
        raise Problem(f"--storage {url} cannot be opened: {str(error).splitlines()[0]}") from error


def described(params: dict[str, Any]) -> str:
    """Parameters on one line."""
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in params.items()
    )
