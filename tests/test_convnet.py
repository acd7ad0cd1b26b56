"""The rendered convolutional network against Hugging Face's ConvNeXt."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from rendering import render
from torch import nn
from torch.nn import functional as F
from transformers import ConvNextConfig, ConvNextForImageClassification


@pytest.fixture
def package(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package of a fresh render."""
    render(template, tmp_path / "cnn-oracle", {"architecture": "cnn", "tracker": "none"})
    monkeypatch.syspath_prepend(str(tmp_path / "cnn-oracle" / "src"))
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
    ours = model_py.ConvNet(config_py.ModelConfig(widths=widths, depths=depths, kernel=7)).double()
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
