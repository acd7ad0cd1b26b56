"""Is halting worth anything? What is known of each example after each step answers it.

An example halts after the first step whose q is above 0, and after the last in any case. Three things could be had
without deciding for each example: all steps; a fixed number of steps that costs as much on average; and the same
numbers of steps, dealt to other examples. Accuracy is compared with each.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...engine.statistics.metrics import Metric
from ...engine.task import Fault


def steps_taken(q: Float[Tensor, "n N"]) -> Int[Tensor, "n"]:
    """After how many steps each example halts, from 1 on."""
    halts = q > 0
    halts[:, -1] = True
    return halts.int().argmax(1) + 1


def at_steps(right: Bool[Tensor, "n N"], steps: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Whether each example is right after its number of steps."""
    return right.gather(1, (steps - 1)[:, None])[:, 0].double()


def fixed_depth(right: Bool[Tensor, "n N"], mean: float) -> Float[Tensor, "n"]:
    """How often each is right where all take as many steps, or one more at random, so that their mean is `mean`."""
    low = min(int(mean), right.shape[1] - 1)
    share = mean - low
    return (1 - share) * right[:, low - 1].double() + share * right[:, low].double()


def shuffled(right: Bool[Tensor, "n N"], steps: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """How often each is right where the numbers of steps are dealt out at random: the mean over all such deals."""
    share = torch.bincount(steps - 1, minlength=right.shape[1]).double() / len(steps)
    return right.double() @ share


def metrics(right: Bool[Tensor, "n N"], q: Float[Tensor, "n N"], difficulty: Tensor) -> dict[str, Metric]:
    """Figures of halting; the two differences have an interval of their own, by pairs."""
    if right.shape[1] == 1:
        return {}
    steps = steps_taken(q)
    adaptive, mean = at_steps(right, steps), steps.double().mean().item()
    return {
        "solved_adaptive": better(adaptive, share=True),
        "adaptive_over_fixed_depth": better(adaptive - fixed_depth(right, mean)),
        "adaptive_over_shuffled": better(adaptive - shuffled(right, steps)),
        "steps": Metric(mean, steps.double()),
        "steps_deviation": Metric(steps.double().std(correction=0).item(), None, higher_is_better=True),
        "steps_by_difficulty": better(rank_correlation(steps, difficulty)),
    }


def collapsed(right: Bool[Tensor, "n N"], q: Float[Tensor, "n N"]) -> list[Fault]:
    """Whether all examples halt after the same step, though that is not best for all.

    A model that knows little may take all steps, and one that is always right after one step needs no other.
    """
    steps, most = steps_taken(q), right.shape[1]
    taken = int(steps[0])
    shares = right.double().mean(0)
    done = right[:, : most - 1].any(1).double().mean().item()
    if most == 1 or len(steps.unique()) > 1 or (done < 0.5 if taken == most else shares[taken - 1] == 1):
        return []
    evidence = [
        f"each of {len(steps)} examples halts after step {taken} of {most}",
        f"right after step {taken}: {shares[taken - 1]:.1%}; after all: {shares[-1]:.1%}; before the last: {done:.1%}",
    ]
    remedy = ["--model.halt-bias -5", "--model.ponder 0.01 and --model.information 0.01, or more"]
    return [Fault("halting has collapsed", evidence, remedy)]


def better(values: Float[Tensor, "n"], share: bool = False) -> Metric:
    """A metric of which more is better."""
    return Metric(values.mean().item(), values, higher_is_better=True, share=share)


def rank_correlation(one: Tensor, other: Tensor) -> Float[Tensor, "n"]:
    """Spearman's rho, as the mean of each example's part in it: the first order in what its omission changes.

    0 where one side is the same for all, and no correlation is defined.
    """
    a, b = (standardised_ranks(values.numpy()) for values in (one, other))
    rho = (a * b).mean()
    return torch.from_numpy(rho + a * b - rho * (a**2 + b**2) / 2)


def standardised_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, equal values sharing their mean one, less their mean and by their deviation; zeros where all are equal."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    deviation = ranks.std()
    return (ranks - ranks.mean()) / (deviation or 1.0)
