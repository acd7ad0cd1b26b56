"""The rendered recurrent forecaster: cells against PyTorch's own, data and measures against other libraries."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from rendering import render
from scipy.integrate import solve_ivp
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_pinball_loss, root_mean_squared_error
from torch import Tensor, nn

Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def load(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Imports a module of a fresh render."""
    project = tmp_path_factory.mktemp("rnn") / "rnn-oracle"
    render(template, project, {"architecture": "rnn", "tracker": "none"})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(project / "src"))
        yield lambda name: importlib.import_module(f"rnn_oracle.{name}")


def by_cells(kind: type[nn.LSTMCell] | type[nn.GRUCell], layers: nn.Module, x: Tensor, count: int) -> Tensor:
    """The outputs of PyTorch's cells of one step with these weights, layer by layer."""
    for layer in range(count):
        cell = kind(x.shape[-1], layers.get_parameter(f"weight_hh_l{layer}").shape[1]).double()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            cell.get_parameter(name).data.copy_(layers.get_parameter(f"{name}_l{layer}"))
        state, outputs = None, []
        for t in range(x.shape[1]):
            state = cell(x[:, t], state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        x = torch.stack(outputs, 1)
    return x


@pytest.mark.parametrize(("name", "kind"), [("LSTM", nn.LSTMCell), ("GRU", nn.GRUCell)])
def test_layers_are_pytorchs_cells_step_by_step(load: Load, name: str, kind: type[nn.LSTMCell]) -> None:
    torch.manual_seed(0)
    config = load("config").ModelConfig(d_model=6, layers=2)
    ours = getattr(load("model.cells"), name)(3, config).double()
    x = torch.randn(4, 15, 3).double()
    out, _ = ours(x, torch.zeros(4, *load("model.cells").state_shape(config)[:1], 6 * ours.state_size).double())
    torch.testing.assert_close(out, by_cells(kind, ours.layers, x, 2))


def test_the_scan_of_a_minlstm_and_its_gradient_are_those_of_the_loop(load: Load) -> None:
    torch.manual_seed(0)
    a, b, h = torch.rand(3, 100, 5).double(), torch.randn(3, 100, 5).double(), torch.randn(3, 5).double()
    for of in (a, b, h):
        of.requires_grad_()
    found, state, outputs = load("model.cells").scan(a, b, h), h, []
    for t in range(100):
        state = a[:, t] * state + b[:, t]
        outputs.append(state)
    loop = torch.stack(outputs, 1)
    torch.testing.assert_close(found, loop)
    gradients = (torch.autograd.grad((of**2).sum(), (a, b, h)) for of in (found, loop))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_mackey_glass_is_what_an_adaptive_solver_makes_delay_by_delay(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("engine.series.mackey_glass")
    monkeypatch.setattr(module, "WASHOUT", 0)
    delays, tau = 4, module.TAU
    past, found = (lambda t: np.full_like(np.asarray(t, float), module.START)), []
    for number in range(delays):
        start, before = number * tau, past

        def slope(t: float, x: np.ndarray, before: Callable[[float], np.ndarray] = before) -> np.ndarray:
            delayed = before(t - tau)
            return 0.2 * delayed / (1 + delayed**10) - 0.1 * x

        first = found[-1][-1] if found else module.START
        solved = solve_ivp(
            slope, (start, start + tau), [first], "DOP853", dense_output=True, rtol=1e-11, atol=1e-12, max_step=0.5
        )
        past = lambda t, of=solved.sol: of(t)[0]  # noqa: E731
        found.append(past(np.arange(start + 1, start + tau + 1)))
    np.testing.assert_allclose(module.mackey_glass(delays * tau), np.concatenate(found), atol=1e-6)


def test_measures_are_those_of_scikit_learn(load: Load) -> None:
    metrics = load("engine.series.metrics")
    noise = torch.Generator().manual_seed(0)
    truth, error = (torch.randn(50, 4, 2, generator=noise).double() for _ in range(2))
    quantiles = torch.randn(50, 4, 2, len(metrics.LEVELS), generator=noise).double().sort(-1).values
    seen, group = torch.ones(50, 4, 2, dtype=torch.bool), torch.arange(50)
    theirs = root_mean_squared_error(truth.flatten(), (truth + error).flatten())
    assert metrics.nrmse(error, seen, group).value == pytest.approx(theirs)
    losses = [
        mean_pinball_loss(truth.flatten(), quantiles[..., place].flatten(), alpha=level)
        for place, level in enumerate(metrics.LEVELS)
    ]
    assert metrics.of_quantiles(quantiles, truth, seen, group)["crps"].value == pytest.approx(2 * np.mean(losses))


def test_mase_is_its_definition_in_the_units_of_the_series(load: Load) -> None:
    """By loops over series that are not scaled, with the naive error of the training rows alone."""
    draws = np.random.default_rng(0)
    table, scaling = load("engine.series.table"), load("engine.series.scaling")
    split, metrics = load("engine.splits.splits"), load("engine.series.metrics")
    y, season, horizon = draws.normal(50, 9, (2, 100)).cumsum(1), 7, 5
    none = np.zeros((160, 0), np.float32)
    rows = table.Table(
        ("a", "b"),
        np.array([0, 80, 160]),
        np.tile(np.arange(80), 2),
        y[:, :80].reshape(-1, 1).astype(np.float32),
        none,
        none,
        np.zeros((2, 0), np.float32),
        table.Names(("y",)),
        "step",
        season,
    )
    scaler = scaling.fit(split.Training({"train": rows}))
    forecast = y[:, 80 : 80 + horizon] + draws.normal(0, 5, (2, horizon))
    expected = []
    for of, guess in zip(y, forecast, strict=True):
        naive = np.mean([abs(of[t] - of[t - season]) for t in range(season, 80)])
        expected.append(np.mean([abs(of[80 + step] - guess[step]) for step in range(horizon)]) / naive)
    error = torch.from_numpy((forecast - y[:, 80 : 80 + horizon]) / scaler.scale)[:, :, None]
    found = metrics.mase(
        error, torch.ones_like(error, dtype=torch.bool), torch.from_numpy(scaler.naive), torch.arange(2)
    )
    assert found.per_example.tolist() == pytest.approx(expected, rel=1e-5)


def test_the_autoregression_is_scikit_learns_regression(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    windows, baselines = load("engine.series.windows"), load("engine.series.baselines")
    monkeypatch.setattr(baselines, "RIDGE", 0.0)
    y = np.random.default_rng(0).normal(size=400).cumsum().astype(np.float32)[:, None]
    none = np.zeros((400, 0), np.float32)
    rows = windows.Rows(y, np.ones((400, 1), bool), none, none, none, np.arange(400), y, y)
    shape = windows.Shape(1, 10, 3)
    train, later = (windows.Windows(rows, np.arange(*of), shape) for of in ((9, 297), (310, 396)))
    found = baselines.autoregression(train, later, 10, quadratic=False)
    past, ahead = (
        [y[of.origins[:, None] + steps, 0] for of in (train, later)] for steps in (np.arange(-9, 1), np.arange(1, 4))
    )
    theirs = LinearRegression().fit(past[0].astype(float), ahead[0]).predict(past[1])
    np.testing.assert_allclose(found[:, :, 0], theirs, atol=1e-4)
