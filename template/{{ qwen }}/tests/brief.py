"""A training of seconds."""

BRIEF = {
    "data.train": 6,
    "data.validation": 3,
    "data.test": 3,
    "train.steps": 2,
    "train.batch": 2,
    "train.episodes": 1,
    "train.tokens": 8,
    "train.validate-every": 2,
    "train.save-every": 1,
}
"""Of the preset smoke, what is less."""
