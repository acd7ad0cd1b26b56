"""Truncated back-propagation through time (Williams & Peng 1990): a window is learned piece by piece.

    window                        | piece 1 | piece 2 | piece 3 |
    state of the network          0 ─────── h ─────── h ───────      carried, and cut off from its past
    gradient                      ◀────────| ◀──────| ◀──────|       inside a piece alone

Each optimizer step learns one piece of each slot's window. A slot that has learned all of its window takes the next one
from the batch, and begins with an empty state; until then it ignores its row of the batches. So the windows stay a
function of (seed, step), and what is between steps is a few tensors that a checkpoint holds.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

Slots = dict[str, Tensor]
"""The window of each slot, under the names of a batch, its `hidden` state, and the number of its next piece, `at`."""


class Piece(NamedTuple):
    """What one optimizer step learns."""

    rows: Slots
    """The piece of each window, under the names of a batch."""
    hidden: Float[Tensor, "B L S"]
    """The network's state before it."""
    first: Int[Tensor, " B"]
    """The step of the window that it begins with."""


def empty(window: Slots, hidden: Float[Tensor, "B L S"], pieces: int) -> Slots:
    """Slots that take a window next; `window` has the shapes of a batch."""
    nothing = {name: torch.zeros_like(value) for name, value in window.items()}
    at = torch.full((len(hidden),), pieces, dtype=torch.long, device=hidden.device)
    return nothing | {"hidden": torch.zeros_like(hidden), "at": at}


def take(slots: Slots, batch: Slots, length: int, pieces: int) -> tuple[Piece, Slots]:
    """The next piece of each slot, of `length` steps, and the slots with the windows that it belongs to."""
    done = slots["at"] >= pieces

    def chosen(fresh: Tensor, kept: Tensor) -> Tensor:
        return torch.where(done.view(-1, *[1] * (fresh.ndim - 1)), fresh, kept)

    window = {name: chosen(value, slots[name]) for name, value in batch.items()}
    hidden = chosen(torch.zeros_like(slots["hidden"]), slots["hidden"]).to(batch["y"])
    at = chosen(torch.zeros_like(slots["at"]), slots["at"])
    rows = {name: cut(value, at * length, length, pieces) for name, value in window.items()}
    return Piece(rows, hidden, at * length), window | {"hidden": hidden, "at": at}


def cut(value: Tensor, first: Int[Tensor, " B"], length: int, pieces: int) -> Tensor:
    """`length` rows of each window from `first` on, and as many more as a window has beyond its pieces."""
    more = value.shape[1] - length * pieces
    place = first[:, None] + torch.arange(length + more, device=first.device)
    return value.gather(1, place[:, :, None].expand(-1, -1, value.shape[2]))


def whole(batch: Slots, state: tuple[int, int]) -> Piece:
    """A batch as one piece, with an empty state of these sizes, L and S."""
    y = batch["y"]
    return Piece(batch, y.new_zeros(len(y), *state), torch.zeros(len(y), dtype=torch.long, device=y.device))


def carried(slots: Slots, hidden: Float[Tensor, "B L S"]) -> Slots:
    """The slots behind a piece that ended with this state."""
    return slots | {"hidden": hidden.detach(), "at": slots["at"] + 1}
