"""Faults that are planted in real short runs are named, as docs/diagnose.md says; healthy runs are left in peace."""

import importlib
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from planted import planted
from rendering import render
from torch import Tensor, nn

MODULES = 240
Patch = pytest.MonkeyPatch


PLACES = {
    "main": "engine.cli.main",
    "diagnose": "engine.diagnosis.diagnose",
    "drift": "engine.statistics.drift",
    "runs": "engine.core.runs",
    "session": "engine.training.session",
    "tokens": "engine.text.tokens",
}


class Project:
    """The modules of a rendered project: the owner's by their names, the engine's by those in PLACES."""

    def __init__(self, package: str) -> None:
        self.package = package

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{PLACES.get(name, name)}")


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Project]]:
    """A project of each architecture."""
    found, path = {}, list(sys.path)
    for architecture in ("blank", "cnn", "autoencoder", "transformer", "rnn"):
        folder = tmp_path_factory.mktemp("projects") / architecture
        name = f"faulty-{architecture}"
        render(template, folder, {"project_name": name, "architecture": architecture, "tracker": "none"})
        sys.path.insert(0, str(folder / "src"))
        found[architecture] = Project(name.replace("-", "_"))
    yield found
    sys.path[:] = path
    for name in [name for name in sys.modules if name.startswith("faulty_")]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: Patch) -> Iterator[None]:
    """Each test in a folder of its own, with one thread."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def change_split(project: Project, patch: Patch, split: str, change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
    """Let `change` make other images and labels of a split's."""
    task = project.task.Classification
    data = task.data

    def changed(self: Any, name: str) -> Any:
        images = data(self, name)
        return project.data.Images(*change(images.x, images.y)) if name == split else images

    patch.setattr(task, "data", changed)


def change_loss(project: Project, patch: Patch, change: Callable[[Any, Any], Any]) -> None:
    """Let `change` make another loss of the loss and its context."""
    task = project.task.Classification
    loss = task.loss

    def changed(self: Any, model: nn.Module, batch: Any, state: Any, context: Any) -> Any:
        output = loss(self, model, batch, state, context)
        return output._replace(loss=change(output.loss, context))

    patch.setattr(task, "loss", changed)


def change_model(project: Project, patch: Patch, change: Callable[[nn.Module], None]) -> None:
    """Let `change` alter every model that is made."""
    task = project.task.Classification
    model = task.model

    def changed(self: Any) -> nn.Module:
        made: nn.Module = model(self)
        with torch.no_grad():
            change(made)
        return made

    patch.setattr(task, "model", changed)


def nothing(project: Project, patch: Patch) -> None:
    """A healthy run."""


def few_examples(project: Project, patch: Patch) -> None:
    change_split(project, patch, "train", lambda x, y: (x[:60], y[:60]))


def flipped_labels(project: Project, patch: Patch) -> None:
    def flip(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return x, np.where(rng.random(len(y)) < 0.3, rng.integers(0, 10, len(y)), y)

    change_split(project, patch, "train", flip)
    change_split(project, patch, "validation", flip)


def rare_class(project: Project, patch: Patch) -> None:
    def thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept = (y != 3) | (np.cumsum(y == 3) <= 6)
        return x[kept], y[kept]

    change_split(project, patch, "train", thin)


def brighter_validation(project: Project, patch: Patch) -> None:
    change_split(project, patch, "validation", lambda x, y: (0.5 + 0.5 * x, y))


def torn_groups(project: Project, patch: Patch) -> None:
    """Brighter copies of some images, which older code neither groups nor looks for."""
    pixels, labels = project.data.load_digits(return_X_y=True)
    both = np.concatenate([pixels, np.minimum(pixels[:100] + 1, 16)]), np.concatenate([labels, labels[:100]])
    patch.setattr(project.data, "load_digits", lambda return_X_y: both)
    patch.setattr(project.data, "joined", lambda keys, pairs: keys)
    patch.setattr(project.task, "load", cache(project.data.load.__wrapped__))
    patch.setattr(project.session, "refuse", lambda leakage: None)


def slow_data(project: Project, patch: Patch) -> None:
    images = project.data.Images
    batch = images.batch

    def slow(self: Any, indices: np.ndarray, noise: np.random.Generator) -> Any:
        time.sleep(0.004)
        return batch(self, indices, noise)

    patch.setattr(images, "batch", slow)


def infinite_pixel(project: Project, patch: Patch) -> None:
    def spoil(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = x.copy()
        x[700, 5] = np.inf
        return x, y

    change_split(project, patch, "train", spoil)


class Logarithm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * torch.log(3.0 - x.abs())


class Root(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sqrt(0 * x)


def logarithm_in_the_model(project: Project, patch: Patch) -> None:
    change_model(project, patch, lambda model: setattr(model, "dropout", Logarithm()))


def root_in_the_model(project: Project, patch: Patch) -> None:
    change_model(project, patch, lambda model: setattr(model, "dropout", Root()))


def division_in_the_loss(project: Project, patch: Patch) -> None:
    change_loss(project, patch, lambda loss, context: loss / 0 if context.step == 33 else loss)


def bad_step(project: Project, patch: Patch) -> None:
    """At one step, every label is wrong."""
    task = project.task.Classification
    loss = task.loss

    def spoilt(self: Any, model: nn.Module, batch: Any, state: Any, context: Any) -> Any:
        wrong = batch | {"y": (batch["y"] + 1) % 10}
        return loss(self, model, wrong if context.step == 100 else batch, state, context)

    patch.setattr(task, "loss", spoilt)


def saturating(project: Project, patch: Patch) -> None:
    patch.setattr(project.model.functional, "gelu", torch.sigmoid)


def large_weights(project: Project, patch: Patch) -> None:
    def enlarge(model: nn.Module) -> None:
        for parameter in model.parameters():
            parameter.mul_(20)

    change_model(project, patch, enlarge)


def dead_relus(project: Project, patch: Patch) -> None:
    def silence(model: Any) -> None:
        model.hidden[0].bias[:16] = -20

    patch.setattr(project.model.functional, "gelu", torch.relu)
    change_model(project, patch, silence)


def overflowing_gate(project: Project, patch: Patch) -> None:
    task = project.task.LanguageModeling
    model = task.model

    def changed(self: Any) -> Any:
        made = model(self)
        with torch.no_grad():
            made.blocks[1].feed_forward.gate.weight.mul_(1e38)
        return made

    patch.setattr(task, "model", changed)


def forgetting_state(project: Project, patch: Patch) -> None:
    """The LSTM's forget gate is shut, what was said last has no weight, and neither is trained."""
    task = project.task.Forecasting
    model = task.model

    def changed(self: Any) -> Any:
        made = model(self)
        layers = made.cell.layers
        with torch.no_grad():
            layers.weight_hh_l0.zero_()
            layers.bias_ih_l0[layers.hidden_size : 2 * layers.hidden_size] = -20
        layers.requires_grad_(False)
        return made

    patch.setattr(task, "model", changed)


def another_language(project: Project, patch: Patch) -> None:
    """The validation split becomes tokens that the training split seldom has."""
    task = project.task.LanguageModeling
    data = task.data

    def changed(self: Any, split: str) -> Any:
        examples = data(self, split)
        if split != "validation":
            return examples
        tokens = np.random.default_rng(0).integers(400, 512, len(examples.tokens)).astype(np.uint16)
        return project.tokens.TextExamples(tokens, examples.context)

    patch.setattr(task, "data", changed)


LONG = ["smoke", "--train.steps", "150", "--train.log-every", "5"]


class Run(NamedTuple):
    """A run, what is planted in it, and a part of what must be said."""

    options: list[str]
    plant: Callable[[Project, Patch], None] = nothing
    because: str = ""
    architecture: str = "blank"


RUNS = {
    "few examples": Run(LONG, few_examples, "0.7"),
    "model too small": Run(["smoke", "--model.width", "2", "--train.steps", "1500", "--train.log-every", "50"]),
    "learning rate 3": Run([*LONG, "--train.learning-rate", "3"], because="--train.learning-rate 0.03"),
    "learning rate 1e-6": Run([*LONG, "--train.learning-rate", "1e-6"], because="--train.learning-rate 0.01"),
    "wrong labels at one step": Run([*LONG, "--train.log-every", "1"], bad_step, "step 101"),
    "twelve sigmoid layers": Run([*LONG, "--model.layers", "12"], saturating, "hidden.0.weight"),
    "weights times 20": Run([*LONG, "--model.layers", "3"], large_weights),
    "dead ReLUs": Run(LONG, dead_relus, "hidden.0.weight"),
    "rare class": Run(LONG, rare_class, "class 3 has 6"),
    "flipped labels": Run(LONG, flipped_labels),
    "autoencoder, mean error beside summed KL": Run(
        ["smoke", "--loss.variance", "32"], because="0 of 16 latents are active", architecture="autoencoder"
    ),
    "brighter validation split": Run(LONG, brighter_validation),
    "torn groups": Run(LONG, torn_groups, "are nearly equal (similarity 0.99"),
    "slow data": Run(LONG, slow_data),
    "infinite pixel": Run(LONG, infinite_pixel, "training examples 700"),
    "logarithm in the model": Run(LONG, logarithm_in_the_model, "the module dropout"),
    "root in the model": Run(LONG, root_in_the_model, "step 1, taken again: the gradient is finite behind dropout"),
    "division in the loss": Run(LONG, division_in_the_loss, "step 34"),
    "transformer, learning rate 3": Run(
        ["smoke", "--train.learning-rate", "3", "--train.warmup-steps", "0", "--train.log-every", "2"],
        because="above the untrained model's",
        architecture="transformer",
    ),
    "transformer, overflowing gate": Run(["smoke"], overflowing_gate, "blocks.1.feed_forward.gate", "transformer"),
    "transformer, another language": Run(["smoke"], another_language, "mean of tokens", "transformer"),
    "rnn, a state that forgets": Run(["smoke"], forgetting_state, "10 steps back", "rnn"),
}
HEALTHY = {
    "blank smoke": Run(["smoke"]),
    "blank default": Run(["default"]),
    "blank smoke, 150 steps": Run(LONG),
    "cnn smoke": Run(["smoke"], architecture="cnn"),
    "cnn default, 300 steps": Run(["default", "--train.steps", "300"], architecture="cnn"),
    "autoencoder smoke": Run(["smoke"], architecture="autoencoder"),
    "transformer smoke": Run(["smoke"], architecture="transformer"),
    "rnn smoke": Run(["smoke"], architecture="rnn"),
    "transformer default, 60 steps": Run(
        [
            *("default", "--train.steps", "60", "--train.warmup-steps", "6"),
            *("--model.vocab-size", "512", "--model.context-length", "64"),
        ],
        architecture="transformer",
    ),
}


def diagnosed(run: Run, project: Project, patch: Patch) -> tuple[set[str], str]:
    """Train, and return the names of what is found and the page."""
    options = ["--train.device", "cpu"]
    if run.architecture == "transformer":
        options += ["--data.path", "text"]
        Path("text").mkdir()
        files = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
        for number, file in enumerate([file for file in files if 200 < file.stat().st_size < 2500][:MODULES]):
            shutil.copyfile(file, Path("text") / f"{number}.txt")
    run.plant(project, patch)
    # A fault may end the training before its last step.
    with suppress(SystemExit):
        project.main.main(["train", *run.options, *options])
    folder = project.runs.find(None)
    config = project.runs.load_config(folder, project.presets.Config)
    findings, _ = project.diagnose.diagnose(folder, config)
    return {finding.name for finding in findings}, "\n".join(project.diagnose.page(folder, findings))


def test_the_page_has_every_planted_fault() -> None:
    assert [fault.name for fault in planted()] == list(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_a_planted_fault_is_named(name: str, projects: dict[str, Project], monkeypatch: Patch) -> None:
    run, [fault] = RUNS[name], [fault for fault in planted() if fault.name == name]
    found, page = diagnosed(run, projects[run.architecture], monkeypatch)
    assert {fault.said} <= found <= {fault.said} | fault.besides, page
    assert run.because in page


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_found_in_a_healthy_run(name: str, projects: dict[str, Project], monkeypatch: Patch) -> None:
    run = HEALTHY[name]
    found, page = diagnosed(run, projects[run.architecture], monkeypatch)
    assert found == set(), page
