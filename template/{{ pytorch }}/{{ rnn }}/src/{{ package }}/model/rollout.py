"""Many steps ahead: told the truth on the way, or running free on what the network itself said.

    teacher forcing     y_{t+1} from y_t, y_{t+2} from y_{t+1}, …       how it is trained; each forecast is of one step
    free running        ŷ_{t+1} from y_t, ŷ_{t+2} from ŷ_{t+1}, …       how it is used; errors feed on themselves
    paths               free running on values that are drawn           how it is used where a head knows its doubt

Dimensions: B batch, R rows of the context (lags - 1 + its steps), H rows that are forecast, K targets, C covariates,
P numbers said of each target, N paths.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .network import Forecaster, inputs

Choice = Callable[[Float[Tensor, "B K P"]], Float[Tensor, "B K"]]
"""The difference that is taken from what the network says."""


def teacher_forced(
    model: Forecaster, y: Float[Tensor, "B R K"], covariates: Tensor | None, horizon: int
) -> Float[Tensor, "B H K"]:
    """Forecasts of the last `horizon` rows, each of one step."""
    x = inputs(y[:, :-1], covariates, model.lags)
    said, _ = model(x, model.initial_state(x))
    return y[:, -horizon - 1 : -1] + model.step * model.output.center(said[:, -horizon:])


def free_run(
    model: Forecaster,
    y: Float[Tensor, "B R K"],
    covariates: Tensor | None,
    horizon: int,
    choose: Choice | None = None,
    paths: int = 1,
) -> Float[Tensor, "BN H K"]:
    """Forecasts of the `horizon` rows behind `y`; `covariates` are (B, R - lags + H, C), one for each step.

    `choose` takes the center unless it is given. Each of `paths` runs of a window lies behind the one before it.
    """
    choose = choose or model.output.center
    steps = y.shape[1] - model.lags + 1
    x = inputs(y, None if covariates is None else covariates[:, :steps], model.lags)
    said, state = model(x, model.initial_state(x))
    said, state, known = (of.repeat_interleave(paths, 0) for of in (said[:, -1], state, y[:, -model.lags :]))
    ahead = None if covariates is None else covariates[:, steps:].repeat_interleave(paths, 0)
    found = []
    for number in range(horizon):
        following = known[:, -1] + model.step * choose(said)
        found.append(following)
        known = torch.cat((known[:, 1:], following[:, None]), 1)
        if number < horizon - 1:
            x = inputs(known, None if ahead is None else ahead[:, number : number + 1], model.lags)
            said_of_one, state = model(x, state)
            said = said_of_one[:, 0]
    return torch.stack(found, 1)


def sampled(
    model: Forecaster, y: Float[Tensor, "B R K"], covariates: Tensor | None, horizon: int, paths: int, seed: int
) -> Float[Tensor, "B N H K"]:
    """Paths that are drawn step by step; a seed gives the same ones."""
    noise = torch.Generator(y.device).manual_seed(seed)

    def drawn(said: Float[Tensor, "B K P"]) -> Float[Tensor, "B K"]:
        uniform = torch.rand((*said.shape[:-1], 2), generator=noise, device=said.device, dtype=said.dtype)
        return model.output.draw(said, uniform)

    return free_run(model, y, covariates, horizon, drawn, paths).unflatten(0, (len(y), paths))


def network(model: nn.Module) -> Forecaster:
    """The network, for those that are handed any module."""
    assert isinstance(model, Forecaster)
    return model
