"""A filter of its own for each feature, along the tokens.

Dimensions, as they appear in annotations and as suffixes of local names:

    B  batch     T  tokens     F  features
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def convolved(padded: Float[Tensor, "B padded F"], filters: Float[Tensor, "taps F"]) -> Float[Tensor, "B T F"]:
    """y_t = sum over taps i of filter_i padded_t+i."""
    found: Float[Tensor, "B T F"] = Convolution.apply(padded, filters)  # type: ignore[no-untyped-call]
    return found


class Convolution(torch.autograd.Function):
    """With the gradients written out, since autograd copies the whole tensor for each tap.

    Beside g, that in y, the one in padded_s is the sum over i of filter_i g_s-i: the same with the filters in reverse
    order. The one in filter_i is the sum over t of g_t padded_t+i.
    """

    @staticmethod
    def forward(ctx: Any, padded: Tensor, filters: Tensor) -> Tensor:
        ctx.save_for_backward(padded, filters)
        return filtered(padded, filters)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BTF: Tensor) -> tuple[Tensor, Tensor]:
        padded, filters = ctx.saved_tensors
        beyond, length = len(filters) - 1, grad_BTF.shape[1]
        taps = [(grad_BTF * padded[:, tap : tap + length]).sum((0, 1)) for tap in range(len(filters))]
        return filtered(functional.pad(grad_BTF, (0, 0, beyond, beyond)), filters.flip(0)), torch.stack(taps)


def filtered(padded: Tensor, filters: Tensor) -> Tensor:
    """The convolution, tap by tap."""
    length = padded.shape[1] - len(filters) + 1
    y_BTF = filters[0] * padded[:, :length]
    for tap in range(1, len(filters)):
        y_BTF.addcmul_(filters[tap], padded[:, tap : tap + length])
    return y_BTF
