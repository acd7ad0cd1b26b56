"""Many steps ahead: told the truth on the way, or running free on what the network itself said.

    teacher forcing     y_{t+1} from y_t, y_{t+2} from y_{t+1}, …       how it is trained; each forecast is of one step
    free running        ŷ_{t+1} from y_t, ŷ_{t+2} from ŷ_{t+1}, …       how it is used; errors feed on themselves

Dimensions: B batch, R rows of the context (lags - 1 + its steps), H rows that are forecast, K targets, C covariates.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .network import Forecaster, inputs


def teacher_forced(
    model: Forecaster, y: Float[Tensor, "B R K"], covariates: Tensor | None, horizon: int
) -> Float[Tensor, "B H K"]:
    """Forecasts of the last `horizon` rows, each of one step."""
    x = inputs(y[:, :-1], covariates, model.lags)
    said, _ = model(x, model.initial_state(x))
    return y[:, -horizon - 1 : -1] + model.step * said[:, -horizon:]


def free_run(
    model: Forecaster, y: Float[Tensor, "B R K"], covariates: Tensor | None, horizon: int
) -> Float[Tensor, "B H K"]:
    """Forecasts of the `horizon` rows behind `y`; `covariates` are (B, R - lags + H, C), one for each step."""
    steps = y.shape[1] - model.lags + 1
    x = inputs(y, None if covariates is None else covariates[:, :steps], model.lags)
    said, state = model(x, model.initial_state(x))
    known, found = y[:, -model.lags :], []
    for ahead in range(horizon):
        following = known[:, -1] + model.step * said[:, -1]
        found.append(following)
        known = torch.cat((known[:, 1:], following[:, None]), 1)
        if ahead < horizon - 1:
            at = steps + ahead
            x = inputs(known, None if covariates is None else covariates[:, at : at + 1], model.lags)
            said, state = model(x, state)
    return torch.stack(found, 1)


def network(model: nn.Module) -> Forecaster:
    """The network, for those that are handed any module."""
    assert isinstance(model, Forecaster)
    return model
