"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from rendering import copy_template

# The same examples each time where nobody watches, new ones at every run elsewhere.
settings.register_profile("unattended", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("unattended")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it lies in the working tree."""
    return copy_template(tmp_path_factory.mktemp("template") / "whole")


@pytest.fixture(scope="session")
def answers_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template without the files that no answer changes, which renders faster."""
    return copy_template(tmp_path_factory.mktemp("template") / "answers", "*.jinja")


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The questions alone: a template that renders nothing."""
    return copy_template(tmp_path_factory.mktemp("template") / "questions", "nothing")
