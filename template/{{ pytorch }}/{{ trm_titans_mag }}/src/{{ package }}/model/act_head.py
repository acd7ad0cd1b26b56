"""Adaptive computation: after each supervision step, stop or go on?

    lambda_n = sigmoid(q_n)                         the probability of halting at step n, if not before
    S_n      = prod over j <= n of (1 - lambda_j)   of going on after it
    p_n      = lambda_n S_{n-1}                     of halting there; the last step takes what is left

(PonderNet, Banino et al. 2021, arXiv:2107.05407, equation 3). A penalty KL(p_b || geometric) on each example b would
punish what is wanted: that easy ones halt early and hard ones late. So the batch's *mean* of p is held to the prior,
and the information that the step of halting carries about the example is rewarded:

    beta KL(mean p || geometric) - gamma (H(mean p) - mean H(p_b))

By the chain rule, the first is a sum over the steps, weighted by the mean of S_{n-1}, of the divergence between two
coins: m_n, the mean of lambda_n over the examples that come to step n, and the prior's. Its derivative by one lambda_n
is that of an expression that is linear in lambda_n, with m_n held fixed (the envelope theorem):

    S_{n-1} (lambda_n log(m_n / prior) + (1 - lambda_n) log((1 - m_n) / (1 - prior)))

and that of the second S_{n-1} KL(lambda_n || m_n). Both are sums over examples: a batch may be cut into micro-batches,
and m_n may be a mean over past steps too, since few of a batch's examples are at step n at any one time.

Dimensions:  B batch, N supervision steps, T positions, D width
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..config import ModelConfig

CERTAIN = 1e-6
"""A share of examples that halt is kept this far from 0 and 1, where its logarithms are infinite."""


class ActHead(nn.Module):
    """The logit of halting, from the mean over the positions of the answer y."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.bias = config.halt_bias
        self.halt = nn.Linear(config.width, 1)

    @torch.no_grad()
    def initialise(self) -> None:
        """Weight 0 and a low bias: a head that begins by halting never sees what a second step would bring."""
        nn.init.zeros_(self.halt.weight)
        nn.init.constant_(self.halt.bias, self.bias)

    def forward(self, y: Float[Tensor, "B T D"]) -> Float[Tensor, "B"]:
        return self.halt(y.mean(1)).squeeze(-1)


def share_of(halted: Tensor, came: Tensor, bias: float) -> Tensor:
    """m_n: the share that halted of those that came to a step; with no more known, what the head begins with."""
    first = torch.tensor(bias, dtype=halted.dtype, device=halted.device).sigmoid()
    return ((halted + first) / (came + 1)).clamp(CERTAIN, 1 - CERTAIN)


def ponder(
    q: Float[Tensor, "B"], survival: Float[Tensor, "B"], marginal: Float[Tensor, "B"], prior: float
) -> Float[Tensor, "B"]:
    """Each example's part in KL(mean p || geometric): `marginal` is m_n and `survival` S_{n-1} at its step."""
    halts = q.sigmoid()
    stopping = marginal.log() - math.log(prior)
    going_on = (-marginal).log1p() - math.log1p(-prior)
    return survival * (halts * stopping + (1 - halts) * going_on)


def information(
    q: Float[Tensor, "B"], survival: Float[Tensor, "B"], marginal: Float[Tensor, "B"]
) -> Float[Tensor, "B"]:
    """Each example's part in H(mean p) - mean H(p_b), in nats: S_{n-1} KL(lambda_n || m_n)."""
    halts = q.sigmoid()
    cross = -halts * marginal.log() - (1 - halts) * (-marginal).log1p()
    entropy = functional.softplus(q) - halts * q
    return survival * (cross - entropy)


def halting_distribution(q: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
    """p: the probability of halting at each step; the last takes what is left."""
    halts = functional.pad(q.double().sigmoid()[:, :-1], (0, 1), value=1.0)
    before = functional.pad((1 - halts).cumprod(1)[:, :-1], (1, 0), value=1.0)
    return halts * before


def geometric(prior: float, steps: int) -> Float[Tensor, "N"]:
    """The prior over the steps, whose last takes what is left."""
    return halting_distribution(torch.full((1, steps), math.log(prior / (1 - prior))))[0]


def divergence(p: Float[Tensor, "*B N"], of: Float[Tensor, "N"]) -> Float[Tensor, "*B"]:
    """KL(p || of) in nats."""
    return (torch.xlogy(p, p) - torch.xlogy(p, of)).sum(-1)


def mutual_information(p: Float[Tensor, "B N"]) -> Float[Tensor, ""]:
    """H(mean p) - mean H(p_b): what the halting step tells of the example, in nats."""
    return torch.xlogy(p, p).sum(1).mean() - torch.xlogy(p.mean(0), p.mean(0)).sum()
