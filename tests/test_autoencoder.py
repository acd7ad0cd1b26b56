"""The rendered autoencoder against what is known exactly: draws, tighter bounds, and linear models."""

import importlib
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from rendering import render
from sklearn.datasets import load_digits
from torch import Tensor, nn

VARIANCE = 0.01
LATENT = 4


class Project:
    """The modules of a rendered project."""

    def __init__(self, package: str) -> None:
        self.package = package

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")


@pytest.fixture(scope="module")
def source(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of a fresh render."""
    project = tmp_path_factory.mktemp("autoencoder") / "autoencoder-oracle"
    render(template, project, {"architecture": "autoencoder", "tracker": "none"})
    return project / "src"


@pytest.fixture
def project(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Used in a folder of the test's own."""
    monkeypatch.syspath_prepend(str(source))
    monkeypatch.chdir(tmp_path)
    return Project("autoencoder_oracle")


def task_of(project: Project, **model: Any) -> Any:
    """The task, with a small network."""
    sizes = {"latent": LATENT, "widths": (8, 16), "depths": (1, 1)} | model
    config, objective = project.config.ModelConfig(**sizes), project.config.LossConfig(variance=VARIANCE)
    return project.task.Reconstruction(project.config.DataConfig(), config, objective)


def predicted(project: Project, task: Any, model: nn.Module, x: Tensor, seed: int = 0) -> dict[str, Tensor]:
    context = importlib.import_module(f"{project.package}.engine.task").Context
    found: dict[str, Tensor] = task.predictions(model, [{"x": x}], context(0, torch.Generator().manual_seed(seed)))
    return found


def digits(number: int) -> Tensor:
    return torch.from_numpy(load_digits().images[:number, None] / 16).float()


def test_the_divergence_in_closed_form_is_that_of_draws(project: Project) -> None:
    """The mean of log q(z) - log p(z) over z ~ q, within five of its standard errors."""
    torch.manual_seed(0)
    mean, logvar = 2 * torch.randn(6, LATENT).double(), torch.randn(6, LATENT).double()
    q, p = torch.distributions.Normal(mean, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    z = q.sample((50_000,))
    draws = q.log_prob(z) - p.log_prob(z)
    off = (project.task.divergence(mean, logvar) - draws.mean(0)).abs()
    assert (off < 5 * draws.std(0) / math.sqrt(len(draws))).all()


def log_weights(task: Any, model: Any, x: Tensor, number: int) -> Tensor:
    """How much more probable x and draws of z are under p than z under q: logarithms, (number, B)."""
    mean, logvar = model.encode(x)
    q, p = torch.distributions.Normal(mean, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    z = q.sample((number,))
    images = model.decode(z.flatten(0, 1)).unflatten(0, (number, len(x)))
    likelihood = torch.distributions.Normal(images, math.sqrt(VARIANCE)).log_prob(x).sum((2, 3, 4))
    found: Tensor = likelihood + (p.log_prob(z) - q.log_prob(z)).sum(2)
    return found


@torch.no_grad()
def test_the_bound_lies_below_an_importance_weighted_one(project: Project) -> None:
    """The likelihood >= L_K >= L_1 (Burda et al. 2016, theorem 1), and L_1 is the bound that is reported."""
    torch.manual_seed(0)
    task, x = task_of(project), digits(5)
    model = task.model().eval()
    # The latents of an untrained network say little: let them.
    model.decoder.input.weight.mul_(2)
    model.encoder.output.bias[LATENT:] = -4.0
    weights = log_weights(task, model, x, 2000).double()
    reported = torch.stack(
        [
            found["likelihood"] - found["kl"].sum(1)
            for found in (predicted(project, task, model, x, seed) for seed in range(100))
        ]
    ).double()
    single = weights.mean(0)
    error = (weights.var(0) / len(weights) + reported.var(0) / len(reported)).sqrt()
    assert ((reported.mean(0) - single).abs() < 5 * error + 1e-4).all()
    groups = torch.logsumexp(weights.view(40, 50, -1), 1) - math.log(50)
    assert (groups.mean(0) > single).all() and (groups.mean(0) - single).max() > 0.1


class Linear(nn.Module):
    """A linear encoder and decoder, which answer as the project's model does."""

    def __init__(self, coded: Any, values: int, latent: int) -> None:
        super().__init__()
        self.coded, self.logvar = coded, nn.Parameter(torch.zeros(latent), requires_grad=False)
        self.encoder, self.decoder = nn.Linear(values, latent), nn.Linear(latent, values)
        self.variational = False

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Any:
        mean = self.encoder(x.flatten(1))
        logvar = self.logvar.expand_as(mean) if self.variational else None
        z = mean if noise is None else mean + noise * (self.logvar / 2).exp()
        return self.coded(self.decoder(z).view_as(x), mean, logvar)


@pytest.mark.parametrize("latent", [8, 16])
def test_a_linear_autoencoder_reaches_pca(project: Project, latent: int) -> None:
    """Trained by the task's own loss in float64, to the error that the singular values leave (Eckart & Young 1936)."""
    task = task_of(project, latent=latent, variational=False)
    train = task.data("train")
    x = train.batch(np.arange(len(train)), None)["x"].double()
    torch.manual_seed(0)
    model = Linear(project.model.Coded, 64, latent).double()
    optimizer = torch.optim.LBFGS(
        [*model.encoder.parameters(), *model.decoder.parameters()],
        max_iter=1500,
        history_size=50,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )
    context = importlib.import_module(f"{project.package}.engine.task").Context(0, torch.Generator())

    def closure() -> Tensor:
        optimizer.zero_grad()
        output = task.loss(model, {"x": x}, {}, context)
        nats: Tensor = output.loss / output.units
        nats.backward()
        return nats

    optimizer.step(closure)
    with torch.no_grad():
        error = predicted(project, task, model, x)["error"].mean().item()
    centred = (x - x.mean(0)).flatten(1)
    left = float((torch.linalg.svdvals(centred)[latent:] ** 2).sum()) / centred.numel()
    assert error == pytest.approx(left, rel=1e-3) and error > left * (1 - 1e-9)
    linear = importlib.import_module(f"{project.package}.engine.images.linear")
    assert linear.errors(train, train, latent)[f"PCA with {latent} components"] == pytest.approx(left, rel=1e-4)


@torch.no_grad()
def test_the_bound_of_a_linear_model_at_its_exact_posterior_is_its_likelihood(project: Project) -> None:
    """With p(x | z) = N(W z + b, s I) and orthogonal columns of W, the posterior's latents are independent.

    They are N(W'(x - b) / (w + s), s / (w + s)) with w the columns' squared lengths (Tipping & Bishop 1999).
    """
    torch.manual_seed(0)
    task = task_of(project)
    columns = torch.linalg.qr(torch.randn(64, LATENT)).Q * torch.tensor([0.8, 0.4, 0.2, 0.1])
    lengths, b = (columns**2).sum(0), torch.rand(64)
    model = Linear(project.model.Coded, 64, LATENT)
    model.variational = True
    model.decoder.weight.copy_(columns)
    model.decoder.bias.copy_(b)
    model.encoder.weight.copy_(columns.T / (lengths + VARIANCE)[:, None])
    model.encoder.bias.copy_(-model.encoder.weight @ b)
    model.logvar.copy_((VARIANCE / (lengths + VARIANCE)).log())
    exact = torch.distributions.LowRankMultivariateNormal(b, columns, torch.full((64,), VARIANCE))
    x = exact.sample((500,))
    metrics = [task.metrics(predicted(project, task, model, x.view(-1, 1, 8, 8), seed)) for seed in range(40)]
    bounds = torch.tensor([metric["evidence_lower_bound"].value for metric in metrics])
    error = bounds.std().item() / math.sqrt(len(bounds))
    assert bounds.mean().item() == pytest.approx(exact.log_prob(x).mean().item(), abs=5 * error + 1e-3)
