"""The tests' runs stay on this machine."""

import os
from collections.abc import Iterator

import pytest
import wandb

os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"


@pytest.fixture(autouse=True)
def own_service() -> Iterator[None]:
    """A killed training must not leave its run to a service that outlives it in the tests' process."""
    yield
    wandb.teardown()
