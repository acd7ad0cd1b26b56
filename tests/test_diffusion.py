"""The rendered diffusion model against Hugging Face's diffusers, and on a Gaussian whose score is known."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.training_utils import compute_snr
from rendering import render
from torch import Tensor

TARGETS = {"v": "v_prediction", "epsilon": "epsilon", "x0": "sample"}
SCHEDULES = {"cosine": "squaredcos_cap_v2", "linear": "linear"}
EACH = pytest.mark.parametrize("target", TARGETS)
BOTH = pytest.mark.parametrize("schedule", SCHEDULES)
MEAN, SD = 0.3, 0.4


@pytest.fixture(scope="module")
def load(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModuleType]:
    """Imports a module of a fresh render."""
    project = tmp_path_factory.mktemp("diffusion") / "diffusion-oracle"
    render(template, project, {"architecture": "diffusion", "tracker": "none"})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(project / "src"))
        yield lambda name: importlib.import_module(f"diffusion_oracle.{name}")


@pytest.fixture
def process(load: Callable[[str], ModuleType]) -> Callable[..., Any]:
    """Builds one, of some fields."""
    return lambda **fields: load("model").build_process(load("config").DiffusionConfig(**fields))


def theirs(kind: Any, schedule: str, target: str = "epsilon", **more: Any) -> Any:
    """A scheduler of diffusers, which counts times from 0."""
    return kind(num_train_timesteps=1000, beta_schedule=SCHEDULES[schedule], prediction_type=TARGETS[target], **more)


def images(count: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Images, noise, and times of ours."""
    noise = torch.Generator().manual_seed(0)
    x0, added = (torch.randn(count, 2, 4, 4, generator=noise) for _ in range(2))
    return x0, added, torch.tensor([1, 2, 300, 800, 1000])[:count]


@BOTH
def test_schedules_are_those_of_diffusers(process: Callable[..., Any], schedule: str) -> None:
    ours, other = process(schedule=schedule), theirs(DDPMScheduler, schedule)
    torch.testing.assert_close(ours.alpha_bar[1:].float(), other.alphas_cumprod, rtol=2e-4, atol=1e-9)
    x0, noise, t = images()
    torch.testing.assert_close(ours.noisy(x0, noise, t), other.add_noise(x0, noise, t - 1), rtol=1e-4, atol=1e-5)
    goal = process(schedule=schedule, target="v").goal(x0, noise, t)
    torch.testing.assert_close(goal, other.get_velocity(x0, noise, t - 1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.snr[t].float(), compute_snr(other, t - 1), rtol=2e-3, atol=0)


@EACH
@BOTH
def test_the_posterior_is_that_of_diffusers(process: Callable[..., Any], schedule: str, target: str) -> None:
    """Of each target, the mean of DDPM's step; its variance is the clipped logarithm's."""
    ours = process(schedule=schedule, target=target)
    other = theirs(DDPMScheduler, schedule, target, clip_sample=False, variance_type="fixed_small")
    x, said, _ = images()
    for time in (2, 300, 900):
        t = torch.full((len(x),), time)
        mean, variance = ours.posterior(ours.image(said, x, t), x, t)
        step = other.step(said, time - 1, x, generator=torch.Generator().manual_seed(3))
        z = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
        torch.testing.assert_close(mean + variance.sqrt() * z, step.prev_sample, rtol=2e-3, atol=1e-3)
        torch.testing.assert_close(variance.flatten()[0], other._get_variance(time - 1), rtol=1e-3, atol=1e-9)


@EACH
def test_ddim_is_that_of_diffusers(process: Callable[..., Any], load: Callable[[str], ModuleType], target: str) -> None:
    """A step of 20 times, without noise and with it."""
    ours, sampling = process(target=target), load("model.sampling")
    other = theirs(DDIMScheduler, "cosine", target, clip_sample=False, set_alpha_to_one=True)
    other.set_timesteps(50)
    x, said, _ = images()
    for time in (21, 501, 981):
        t = torch.full((len(x),), time)
        x0 = ours.image(said, x, t)
        for eta in (0.0, 1.0):
            z = torch.stack([torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(i)) for i in range(5)])
            step = other.step(said, time - 1, x, eta=eta, variance_noise=z).prev_sample
            noise = [torch.Generator().manual_seed(i) for i in range(5)] if eta else None
            found = sampling.first_order(ours, x, x0, time, time - 20, noise)
            torch.testing.assert_close(found, step, rtol=2e-3, atol=2e-3)


@EACH
def test_ddim_at_every_step_has_the_mean_of_ddpm(
    process: Callable[..., Any], load: Callable[[str], ModuleType], target: str
) -> None:
    """In float64, with the noise taken away."""
    ours, sampling = process(target=target), load("model.sampling")
    x, said, _ = (value.double() if value.is_floating_point() else value for value in images())
    for time in (2, 10, 500, 1000):
        t = torch.full((len(x),), time)
        x0 = ours.image(said, x, t)
        mean, variance = ours.posterior(x0, x, t)
        z = torch.stack([torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(i)) for i in range(5)])
        noise = [torch.Generator().manual_seed(i) for i in range(5)]
        found = sampling.first_order(ours, x, x0, time, time - 1, noise) - variance.sqrt() * z.double()
        torch.testing.assert_close(found, mean, rtol=1e-8, atol=1e-8 * mean.abs().max().item())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # NumPy's, inside diffusers
def test_the_second_order_is_that_of_diffusers(process: Callable[..., Any], load: Callable[[str], ModuleType]) -> None:
    """DPM-Solver++(2M), all of its steps at times that both know."""
    ours, sampling = process(schedule="linear", target="v"), load("model.sampling")
    other = theirs(
        DPMSolverMultistepScheduler, "linear", "v", solver_order=2, final_sigmas_type="zero", lower_order_final=True
    )
    times = [1000, 800, 600, 400, 200]
    other.set_timesteps(timesteps=[time - 1 for time in times])
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(3, 1, 8, 8, generator=noise)
    says = gaussian(ours)
    found = sampling.sample(ours, says, x, "dpm-solver", 5, [], clip=False)
    for time, theirs_t in zip(times, other.timesteps, strict=True):
        x = other.step(says(x, torch.full((3,), time)), theirs_t, x).prev_sample
    torch.testing.assert_close(found, x, rtol=1e-3, atol=1e-3)


def gaussian(process: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """What the best network says where pixels are N(MEAN, SD²): the score is known in closed form."""

    def says(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = process.alpha(t, x), process.sigma(t, x)
        score = -(x - alpha * MEAN) / (alpha**2 * SD**2 + sigma**2)
        noise = -sigma * score
        return process.goal((x - sigma * noise) / alpha, noise, t)

    return says


@EACH
@pytest.mark.parametrize(("sampler", "steps"), [("ddim", 1000), ("dpm-solver", 100)])
def test_samples_of_a_gaussian_are_exact(
    process: Callable[..., Any], load: Callable[[str], ModuleType], target: str, sampler: str, steps: int
) -> None:
    """Pixel by pixel: the flow takes x_T to MEAN + SD x_T, wherever it begins."""
    ours = process(target=target)
    x = torch.randn(1, 1, 30, 30, generator=torch.Generator().manual_seed(0)).double()
    found = load("model.sampling").sample(ours, gaussian(ours), x, sampler, steps, [], clip=False)
    torch.testing.assert_close(found, MEAN + SD * x, rtol=0, atol=0.01)


@EACH
def test_min_snr_is_that_of_the_training_scripts_of_diffusers(process: Callable[..., Any], target: str) -> None:
    """examples/text_to_image/train_text_to_image.py: min(SNR, 5), divided by SNR for ε, and by SNR + 1 for v."""
    snr = compute_snr(theirs(DDPMScheduler, "linear"), torch.arange(1000))
    expected = snr.clamp(max=5.0) / {"x0": 1.0, "epsilon": snr, "v": snr + 1}[target]
    found = process(schedule="linear", target=target, weighting="min-snr").weight(torch.arange(1, 1001))
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=0)
