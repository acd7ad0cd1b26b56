"""The trials of a sweep: what each draws, how it tells of its training, and which of them count."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from ..core.tracking import read
from ..training.seeding import derive_seed
from ..training.trainer import Hooks, Trainer

TAKES_UP = "takes up"
"""The attribute of a trial that resumes another's work: that one's number."""


class KeyedTPE(BaseSampler):
    """The tree-structured Parzen estimator (Bergstra et al. 2011) with a seed for each trial."""

    def __init__(self, seed: int) -> None:
        self.seed, self.sampler = seed, TPESampler()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        position = sum(earlier.number < trial.number for earlier in counting(study))
        self.sampler = TPESampler(seed=derive_seed(self.seed, "sweep", position) % 2**32)
        self.sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self.sampler.after_trial(study, trial, state, values)


def trial_hooks(trial: Trial) -> Hooks:
    """Tell a trial of every validation, and stop where it is worse than the median of the others."""

    def report(step: int, values: dict[str, Any]) -> None:
        """Tell of the first metric, where these values hold any."""
        scores = [value for name, value in values.items() if name.startswith("validation/")]
        if scores:
            trial.report(scores[0], step)

    def restored(trainer: Trainer) -> None:
        """Tell the trial what an earlier process had measured up to the checkpoint."""
        trial.set_user_attr("run", trainer.run.as_posix())
        for record in read(trainer.run / "metrics.jsonl"):
            if record["step"] <= trainer.progress.step:
                report(record["step"], record)

    def validated(trainer: Trainer, values: dict[str, float]) -> None:
        report(trainer.progress.step, values)
        if trainer.progress.step < trainer.learner.config.steps and trial.should_prune():
            raise optuna.TrialPruned

    return Hooks(restored, validated)


def taken_up(every: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of the trials that another resumes."""
    return {trial.user_attrs[TAKES_UP] for trial in every if TAKES_UP in trial.user_attrs}


def counting(study: Study) -> list[FrozenTrial]:
    """The trials without those that another resumes."""
    every = study.get_trials(deepcopy=False)
    taken = taken_up(every)
    return [trial for trial in every if trial.number not in taken]


def finished(study: Study) -> list[FrozenTrial]:
    """The trials that are done, whatever came of them."""
    return [trial for trial in counting(study) if trial.state.is_finished()]
