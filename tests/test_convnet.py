"""The rendered convolutional network against Hugging Face's ConvNeXt, and its data divided into folds and parts."""

import importlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from rendering import render
from torch import nn
from torch.nn import functional as F
from transformers import ConvNextConfig, ConvNextForImageClassification

MODULES = ("data", "engine.experiments.folds")
PARTS = ("data", "engine.experiments.learning_curve")


@pytest.fixture(scope="module")
def source(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of a fresh render."""
    project = tmp_path_factory.mktemp("convnet") / "cnn-oracle"
    render(template, project, {"architecture": "cnn", "tracker": "none", "extras": ["crossval", "learning-curve"]})
    return project / "src"


@pytest.fixture
def package(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Its package, used in a folder of the test's own."""
    monkeypatch.syspath_prepend(str(source))
    monkeypatch.chdir(tmp_path)
    return importlib.import_module("cnn_oracle")


def convnext(widths: tuple[int, ...], depths: tuple[int, ...]) -> nn.Module:
    """Theirs, with our stem and without the scales of its layers."""
    config = ConvNextConfig(
        num_channels=1,
        num_stages=len(widths),
        hidden_sizes=list(widths),
        depths=list(depths),
        layer_scale_init_value=0.0,
        layer_norm_eps=1e-6,
        num_labels=10,
    )
    model = ConvNextForImageClassification(config)
    model.convnext.embeddings.patch_embeddings = nn.Conv2d(1, widths[0], 3, padding=1)
    return model.double()


def test_logits_and_gradients_equal_those_of_convnext(package: ModuleType) -> None:
    """In float64, with their kernel of 7 x 7 and their epsilon; the parameters come in the same order."""
    model_py, config_py = (importlib.import_module(f"{package.__name__}.{name}") for name in ("model", "config"))
    torch.manual_seed(0)
    widths, depths = (6, 10), (2, 3)
    facts = importlib.import_module(f"{package.__name__}.engine.images.examples").Facts
    digits = facts(tuple("0123456789"), 1, 8, (0.0,), (1.0,))
    ours = model_py.ConvNet(config_py.ModelConfig(widths=widths, depths=depths, kernel=7), digits).double()
    theirs = convnext(widths, depths)
    for module in ours.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-6
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    with torch.no_grad():
        for mine, other in pairs:
            other.copy_(mine.normal_(std=0.3))
    images, labels = torch.rand(3, 1, 8, 8, dtype=torch.float64), torch.tensor([1, 2, 3])
    logits, expected = ours(images), theirs(images).logits
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)
    for output in (logits, expected):
        F.cross_entropy(output, labels).backward()
    for mine, other in pairs:
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=1e-12)


def images(digits: Any, names: Iterable[str]) -> Counter[bytes]:
    """The images of some splits."""
    return Counter(image.tobytes() for name in names for image in digits.splits[name].pixels[digits.splits[name].rows])


def config(package: ModuleType, split: str) -> Any:
    """The digits, split in one of two ways."""
    return importlib.import_module(f"{package.__name__}.config").DataConfig(split=split)


@pytest.mark.parametrize("split", ["stratified", "writers"])
def test_every_fold_holds_out_other_images_and_the_test_split_stays(package: ModuleType, split: str) -> None:
    data, folds = (importlib.import_module(f"{package.__name__}.{name}") for name in MODULES)
    outside, held_out, writers = data.load(config(package, split)), Counter[bytes](), []
    for number in range(1, 6):
        digits = data.load(config(package, split), division=folds.Fold(number, 5, 1))
        assert digits.leakage.found == [] and digits.sha256 != outside.sha256
        assert images(digits, ["test"]) == images(outside, ["test"])
        assert not images(digits, ["train"]) & images(digits, ["validation"])
        held_out += images(digits, ["validation"])
        y = digits.splits["validation"].y
        writers.append(len(y) / 130)
        if split == "stratified":
            whole = np.bincount(outside.splits["train"].y) + np.bincount(outside.splits["validation"].y)
            assert np.abs(np.bincount(y) - whole / 5).max() <= 3
    everything = images(outside, ["train", "validation"])
    # Of two forms that hold nearly the same image, folds leave out other ones than the project's split does.
    assert (everything - held_out).total() <= 2 and (held_out - everything).total() <= 2
    assert held_out.total() == len(held_out)
    if split == "writers":
        assert sorted(round(forms) for forms in writers) == [2, 2, 2, 2, 3]


@pytest.mark.parametrize("split", ["stratified", "writers"])
def test_parts_leave_validation_alone(package: ModuleType, split: str) -> None:
    data, curve = (importlib.import_module(f"{package.__name__}.{name}") for name in PARTS)
    outside, smaller = data.load(config(package, split)), Counter[bytes]()
    for halvings in (3, 2, 1):
        digits = data.load(config(package, split), division=curve.Part(halvings, 0))
        assert digits.leakage.found == []
        assert images(digits, ["test"]) == images(outside, ["test"])
        assert images(digits, ["validation"]) == images(outside, ["validation"])
        part = images(digits, ["train"])
        assert smaller <= part
        assert part.total() == pytest.approx(len(outside.splits["train"]) / 2**halvings, rel=0.08)
        smaller = part
    assert smaller <= images(outside, ["train"])
