"""The rendered recursive model as the compiler sees it, and its checks with each preset that a CPU can hold."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from rendering import render


@pytest.fixture(scope="module")
def package(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package of a fresh render."""
    folder = tmp_path_factory.mktemp("flagship") / "flagship-oracle"
    render(template, folder, {"architecture": "trm_titans_mag", "tracker": "none", "extras": ["ablate"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "src"))
        patch.chdir(folder)
        yield importlib.import_module("flagship_oracle")


# Dynamo makes an instance of the function, which PyTorch warns of.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("preset", ["smoke", "recall"])
def test_it_compiles_without_a_graph_break(package: ModuleType, preset: str) -> None:
    config = importlib.import_module(f"{package.__name__}.presets").PRESETS[preset]().model
    model = importlib.import_module(f"{package.__name__}.model").FullModel(config)
    tokens = torch.randint(0, config.vocab_size, (2, config.length))
    fresh = torch.tensor([True, False])
    with torch.no_grad():
        latent = model(tokens).latent
    expected = model(tokens, latent, fresh)
    torch.compiler.reset()  # after another preset, sizes would count as variable
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(tokens, latent, fresh).logits, expected.logits)
    with torch.autocast("cpu", torch.bfloat16):
        compiled(tokens, latent, fresh).logits.float().square().mean().backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert [name for name in dead if not name.startswith("head")] == []


@pytest.mark.parametrize("preset", ["smoke", "default", "recall"])
def test_every_check_passes(package: ModuleType, preset: str) -> None:
    check = importlib.import_module(f"{package.__name__}.engine.training.sanity")
    config = importlib.import_module(f"{package.__name__}.presets").PRESETS[preset]()
    device = importlib.import_module(f"{package.__name__}.engine.training.device").Device("cpu", False)
    assert [finding for finding in check.run(config, device) if not finding.passed] == []


@pytest.mark.parametrize("preset", ["smoke", "default", "full", "recall", "language"])
def test_the_plain_transformer_has_as_many_parameters_and_computes_as_much(package: ModuleType, preset: str) -> None:
    ablations, model = (
        importlib.import_module(f"{package.__name__}.{name}") for name in ("ablations", "model.full_model")
    )
    config = importlib.import_module(f"{package.__name__}.presets").PRESETS[preset]()
    variants = importlib.import_module(f"{package.__name__}.engine.experiments.ablation").variants(
        config, ablations.ABLATIONS
    )
    plain, longer = variants["plain transformer"], variants["plain, as much computation"]
    assert (plain.model.memory, plain.model.cycles, plain.model.inner, plain.model.supervision) == (False, 1, 0, 1)
    assert model.parameters(plain.model) == pytest.approx(model.parameters(config.model), rel=0.01)
    assert plain.train == config.train and longer.model == plain.model
    computed = longer.train.steps * ablations.cost(longer)
    assert computed == pytest.approx(config.train.steps * ablations.cost(config), rel=0.01)
