"""The rendered statistics against theory, simulation and independent implementations."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from rendering import render
from scipy import optimize, stats
from scipy.special import softmax
from sklearn import metrics
from transformer_demo.engine.statistics import metrics as intervals
from transformer_demo.engine.statistics import paired as pairs


def share(of: Callable[[np.random.Generator], bool], trials: int) -> float:
    """How often it holds, each time with another generator."""
    return sum(of(np.random.default_rng(trial)) for trial in range(trials)) / trials


@pytest.fixture(scope="module")
def calibration(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """What a classifier's project computes of its logits."""
    folder = tmp_path_factory.mktemp("statistics") / "blank-demo"
    render(template, folder, {"architecture": "blank"})
    sys.path.insert(0, str(folder / "src"))
    yield importlib.import_module("blank_demo.engine.evaluation.classification")
    sys.path.remove(str(folder / "src"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer resamples, for simulations that need many intervals."""
    monkeypatch.setattr(intervals, "RESAMPLES", 400)
    monkeypatch.setattr(pairs, "PERMUTATIONS", 399)


@pytest.mark.parametrize("sizes", ["equal", "varied"])
@pytest.mark.usefixtures("quick")
def test_an_interval_by_group_covers_and_one_by_example_does_not(sizes: str) -> None:
    """60 groups whose members share half of their variance; the true mean is 0."""

    def covers(by_group: bool) -> Callable[[np.random.Generator], bool]:
        def once(rng: np.random.Generator) -> bool:
            counts = np.full(60, 8) if sizes == "equal" else rng.integers(1, 16, 60)
            group = np.repeat(np.arange(60), counts)
            values = torch.from_numpy((rng.normal(size=60)[group] + rng.normal(size=len(group))) / 2**0.5)
            low, high = intervals.interval(values, torch.from_numpy(group) if by_group else None)
            return low <= 0 <= high

        return once

    assert 0.91 < share(covers(True), 400) < 0.97
    assert share(covers(False), 400) < 0.75


@pytest.mark.usefixtures("quick")
def test_intervals_over_five_seeds_cover_with_t_and_not_with_a_bootstrap() -> None:
    def covers(interval: Callable[[np.ndarray], tuple[float, float]]) -> Callable[[np.random.Generator], bool]:
        def once(rng: np.random.Generator) -> bool:
            low, high = interval(rng.normal(0.9, 0.01, 5))
            return low <= 0.9 <= high

        return once

    assert 0.93 < share(covers(lambda values: intervals.t_interval(values.tolist())), 1500) < 0.97
    assert share(covers(lambda values: intervals.interval(torch.from_numpy(values))), 300) < 0.88


def test_an_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 200), rng.normal(0.2, 1, 200)
    ours = intervals.interval(torch.from_numpy(b - a))
    theirs = stats.bootstrap(
        (a, b), lambda x, y, axis: (y - x).mean(axis), paired=True, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert ours == pytest.approx(theirs, abs=0.02)


@pytest.mark.parametrize("n", [5, 9, 12, 40])
def test_permutation_p_is_that_of_scipy(n: int) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        differences = rng.normal(0.3, 1, n)
        theirs = stats.permutation_test(
            (differences, np.zeros(n)),
            lambda x, y, axis: (x - y).mean(axis),
            permutation_type="samples",
            n_resamples=9999,
            rng=rng,
        ).pvalue
        assert pairs.permutation_p(differences) == pytest.approx(theirs, abs=1e-12 if n <= 12 else 0.02)


@pytest.mark.parametrize("n", [10, 40])
@pytest.mark.usefixtures("quick")
def test_p_is_uniform_where_there_is_no_difference(n: int) -> None:
    """As far as it can be: the exact p of 10 pairs takes 512 values. Skewed differences are swapped, not shifted."""
    found = []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        found.append(pairs.permutation_p(rng.exponential(size=n) - rng.exponential(size=n)))
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert 0.03 < np.mean(np.array(found) <= 0.05) < 0.075


@pytest.mark.usefixtures("quick")
def test_holm_keeps_the_chance_of_any_error_at_its_level() -> None:
    def errs(corrected: bool) -> Callable[[np.random.Generator], bool]:
        def once(rng: np.random.Generator) -> bool:
            ps = [pairs.permutation_p(rng.normal(size=10)) for _ in range(4)]
            return min(pairs.holm(ps) if corrected else ps) <= 0.05

        return once

    assert share(errs(True), 400) < 0.08
    assert share(errs(False), 400) > 0.12


def answers(n: int, classes: int, temperature: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    logits = 2 * rng.normal(size=(n, classes))
    y = (softmax(logits, 1).cumsum(1) < rng.random((n, 1))).sum(1)
    return logits * temperature, y


def test_the_brier_score_is_that_of_scikit_learn(calibration: ModuleType) -> None:
    logits, y = answers(500, 7, 1.0, np.random.default_rng(0))
    probabilities = softmax(logits, 1)
    expected = metrics.brier_score_loss(y, probabilities, labels=range(7), scale_by_half=False)
    assert calibration.brier(probabilities, y) == pytest.approx(expected)


@pytest.mark.parametrize("planted", [0.3, 1.0, 5.0])
def test_a_temperature_is_the_minimum_that_scipy_finds(planted: float, calibration: ModuleType) -> None:
    logits, y = answers(3000, 6, planted, np.random.default_rng(1))

    def nats(log_t: float) -> float:
        return float(-np.log(softmax(logits / np.exp(log_t), 1)[np.arange(len(y)), y]).mean())

    theirs = np.exp(optimize.minimize_scalar(nats, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9}).x)
    ours = calibration.fit_temperature(logits, y)
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert ours == pytest.approx(planted, rel=0.08)


def test_a_calibrated_model_is_within_chance_and_another_is_not(
    calibration: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "DRAWS", 200)

    def within(temperature: float) -> Callable[[np.random.Generator], bool]:
        return lambda rng: calibration.calibration(*answers(200, 5, temperature, rng)).within_chance

    assert 0.9 < share(within(1.0), 200) < 0.99
    assert share(within(2.5), 50) < 0.1


def test_the_calibrated_error_is_not_optimistic(calibration: ModuleType) -> None:
    """Where a temperature was fitted, the error is less than of fresh examples; what is reported is not."""
    fitted, reported, fresh = list[float](), list[float](), list[float]()
    for seed in range(600):
        rng = np.random.default_rng(seed)
        (logits, y), (others, z) = (answers(100, 3, 3.0, rng) for _ in range(2))
        temperature = calibration.fit_temperature(logits, y)
        for found, x, truth in ((fitted, logits, y), (fresh, others, z)):
            probabilities = softmax(x / temperature, 1)
            found.append(calibration.expected_error(probabilities.max(1), probabilities.argmax(1) == truth))
        reported.append(calibration.errors_of_halves(logits, y)[1])
    assert np.mean(fitted) < np.mean(fresh) < np.mean(reported)
