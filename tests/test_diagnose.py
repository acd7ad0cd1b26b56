"""Faults that are planted in real short runs are named, and healthy runs are left in peace: docs/diagnose.md's table."""

import importlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from rendering import ROOT, render
from torch import Tensor, nn

PACKAGE = "planted_faults"
PAGE = (ROOT / "docs" / "diagnose.md").read_text(encoding="utf-8")
Patch = pytest.MonkeyPatch


class Engine:
    """The modules of a rendered project."""

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("projects") / "blank"
    answers = {"project_name": "planted-faults", "architecture": "blank", "tracker": "none"}
    render(template, folder, answers)
    sys.path.insert(0, str(folder / "src"))
    yield Engine()
    sys.path.remove(str(folder / "src"))
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def one_thread(tmp_path: Path, monkeypatch: Patch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def change_split(engine: Engine, patch: Patch, split: str, change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
    """Let `change` make other images and labels of a split's."""
    task = engine.task.Classification
    data = task.data

    def changed(self: Any, name: str) -> Any:
        images = data(self, name)
        return engine.data.Images(*change(images.x, images.y)) if name == split else images

    patch.setattr(task, "data", changed)


def change_loss(engine: Engine, patch: Patch, change: Callable[[Any, Any], Any]) -> None:
    """Let `change` make another loss of the loss and its context."""
    task = engine.task.Classification
    loss = task.loss

    def changed(self: Any, model: nn.Module, batch: Any, carry: Any, context: Any) -> Any:
        output = loss(self, model, batch, carry, context)
        return output._replace(loss=change(output.loss, context))

    patch.setattr(task, "loss", changed)


def change_model(engine: Engine, patch: Patch, change: Callable[[nn.Module], None]) -> None:
    """Let `change` alter every model that is made."""
    task = engine.task.Classification
    model = task.model

    def changed(self: Any) -> nn.Module:
        made: nn.Module = model(self)
        with torch.no_grad():
            change(made)
        return made

    patch.setattr(task, "model", changed)


def nothing(engine: Engine, patch: Patch) -> None:
    """A healthy run."""


def few_examples(engine: Engine, patch: Patch) -> None:
    change_split(engine, patch, "train", lambda x, y: (x[:60], y[:60]))


def flipped_labels(engine: Engine, patch: Patch) -> None:
    def flip(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return x, np.where(rng.random(len(y)) < 0.3, rng.integers(0, 10, len(y)), y)

    change_split(engine, patch, "train", flip)
    change_split(engine, patch, "validation", flip)


def rare_class(engine: Engine, patch: Patch) -> None:
    def thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept = (y != 3) | (np.cumsum(y == 3) <= 6)
        return x[kept], y[kept]

    change_split(engine, patch, "train", thin)


def brighter_validation(engine: Engine, patch: Patch) -> None:
    change_split(engine, patch, "validation", lambda x, y: (0.5 + 0.5 * x, y))


def slow_data(engine: Engine, patch: Patch) -> None:
    images = engine.data.Images
    batch = images.batch

    def slow(self: Any, indices: np.ndarray, noise: np.random.Generator) -> Any:
        time.sleep(0.004)
        return batch(self, indices, noise)

    patch.setattr(images, "batch", slow)


def infinite_pixel(engine: Engine, patch: Patch) -> None:
    def spoil(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = x.copy()
        x[700, 5] = np.inf
        return x, y

    change_split(engine, patch, "train", spoil)


class Logarithm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * torch.log(3.0 - x.abs())


class Root(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sqrt(0 * x)


def logarithm_in_the_model(engine: Engine, patch: Patch) -> None:
    change_model(engine, patch, lambda model: setattr(model, "dropout", Logarithm()))


def root_in_the_model(engine: Engine, patch: Patch) -> None:
    change_model(engine, patch, lambda model: setattr(model, "dropout", Root()))


def division_in_the_loss(engine: Engine, patch: Patch) -> None:
    change_loss(engine, patch, lambda loss, context: loss / 0 if context.step == 33 else loss)


def bad_step(engine: Engine, patch: Patch) -> None:
    """At one step, every label is wrong."""
    task = engine.task.Classification
    loss = task.loss

    def spoilt(self: Any, model: nn.Module, batch: Any, carry: Any, context: Any) -> Any:
        wrong = batch | {"y": (batch["y"] + 1) % 10}
        return loss(self, model, wrong if context.step == 100 else batch, carry, context)

    patch.setattr(task, "loss", spoilt)


def saturating(engine: Engine, patch: Patch) -> None:
    patch.setattr(engine.model.functional, "gelu", torch.sigmoid)


def large_weights(engine: Engine, patch: Patch) -> None:
    def enlarge(model: nn.Module) -> None:
        for parameter in model.parameters():
            parameter.mul_(20)

    change_model(engine, patch, enlarge)


def dead_relus(engine: Engine, patch: Patch) -> None:
    def silence(model: Any) -> None:
        model.hidden[0].bias[:16] = -20

    patch.setattr(engine.model.functional, "gelu", torch.relu)
    change_model(engine, patch, silence)


LONG = ["--train.steps", "150", "--train.log-every", "5"]
DEEP = ["--model.layers", "12"]


class Fault(NamedTuple):
    """What is planted, and with which options."""

    plant: Callable[[Engine, Patch], None]
    options: list[str]


FAULTS = {
    "": Fault(nothing, LONG),
    "blank smoke": Fault(nothing, []),
    "few examples": Fault(few_examples, LONG),
    "a model too small": Fault(nothing, ["--model.width", "2", "--train.steps", "1500", "--train.log-every", "50"]),
    "learning rate 3": Fault(nothing, ["--train.learning-rate", "3", *LONG]),
    "learning rate 1e-6": Fault(nothing, ["--train.learning-rate", "1e-6", *LONG]),
    "one bad step": Fault(bad_step, [*LONG, "--train.log-every", "1"]),
    "twelve sigmoid layers": Fault(saturating, [*DEEP, *LONG]),
    "weights twenty times as large": Fault(large_weights, [*LONG, "--model.layers", "3"]),
    "dead ReLUs": Fault(dead_relus, LONG),
    "a rare class": Fault(rare_class, LONG),
    "flipped labels": Fault(flipped_labels, LONG),
    "a brighter validation split": Fault(brighter_validation, LONG),
    "slow data": Fault(slow_data, LONG),
    "an infinite pixel": Fault(infinite_pixel, LONG),
    "a logarithm in the model": Fault(logarithm_in_the_model, LONG),
    "a root in the model": Fault(root_in_the_model, LONG),
    "a division in the loss": Fault(division_in_the_loss, LONG),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(name: str, project: Engine, monkeypatch: Patch) -> None:
    fault = FAULTS[name]
    fault.plant(project, monkeypatch)
    try:
        project.__main__.main(["train", "smoke", "--train.device", "cpu", *fault.options])
    except SystemExit as end:
        print("ENDED", str(end))
    run = project.runs.find(None)
    findings, text = project.diagnosis.diagnose(run)
    print("\n".join(project.diagnosis.page(run, findings)))
    import json
    o=json.loads(text)["observations"]
    return
    for k in ('train','validation','initial','layers','data_share','labels','trials','floors'): print(k, str(o[k])[:900])
    print([round(x,3) for x in o['norms']])
    print([(a,round(b,3)) for a,b in o['losses']])
