"""How far back the gradient reaches: where it vanishes, nothing that lies farther back can be learned."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..engine.task import Fault
from .network import Forecaster, inputs

BACK = 10
"""Steps: a network that is given fewer values at once, and sees no farther back, has no use for its state."""
VANISHED = 1e-4
"""A gradient this small beside that of the last step. A fresh LSTM keeps 1e-2 over ten steps."""


def reach(model: Forecaster, y: Float[Tensor, "B R K"], covariates: Tensor | None) -> Float[Tensor, "B T"]:
    """The norm of the gradient of the last forecast by the inputs of each step, the last step's first.

    What the output takes from the last step's inputs directly counts too.
    """
    steps = y.shape[1] - model.lags + 1
    x = inputs(y, None if covariates is None else covariates[:, :steps], model.lags)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        said, _ = model(x, model.initial_state(x))
        [gradient] = torch.autograd.grad(model.output.center(said[:, -1]).sum(), x)
    return gradient.norm(dim=-1).flip(1)


def vanishing(norms: Float[Tensor, "n T"], lags: int) -> list[Fault]:
    """Whether the gradient has vanished `BACK` steps before the last one."""
    if lags >= BACK or norms.shape[1] <= BACK:
        return []
    mean = norms.mean(0)
    share = mean / mean[0]
    if not share[BACK] < VANISHED:
        return []
    evidence = [
        f"{steps} steps back, {share[steps]:.1g} of the gradient by the last step's inputs is left"
        for steps in (1, 2, 5, BACK)
    ]
    evidence[-1] += f", under {VANISHED:g}"
    remedy = [
        "--model.cell lstm, whose forget gate begins open: look at initialise() in model/cells.py",
        f"--model.lags {2 * BACK}, which shows the model what it cannot remember",
        "--train.learning-rate lower, if the gate was open before the training",
    ]
    return [Fault("the gradient vanishes through time", evidence, remedy)]
