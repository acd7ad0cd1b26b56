"""What `sweep` varies: change it to what your model leaves open.

Each `suggest_...` names a parameter and its range; https://optuna.readthedocs.io says which there are. Make every
combination a possible one: suggest heads and features for each head, say, instead of heads and a width.
"""

from dataclasses import replace

from optuna import Trial

from .config import Config


def search(trial: Trial, config: Config) -> Config:
    """The configuration of a trial, made from the preset and the options."""
    train = replace(
        config.train,
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-3, 1.0, log=True),
    )
    model = replace(config.model, dropout=trial.suggest_float("dropout", 0.0, 0.5))
    return replace(config, model=model, train=train)
