"""A checkpoint holds the whole state in two files: the first process writes them, and every process reads them.

step-200/model.safetensors   the weights
step-200/state.pt            the optimizers and everything else: tensors and builtins only
"""

from typing import Any

import torch
from torch import nn

from ..core.config_io import fingerprint
from .checkpoint import Index, Trained, load_weights, save_weights

WEIGHTS, STATE = "model.safetensors", "state.pt"


class Checkpoints(Index):
    """The checkpoints of one run."""

    def save(self, step: int, trained: Trained, state: dict[str, Any], best: bool) -> None:
        """Write the checkpoint of `step`, then forget the ones that are no longer needed.

        Raises:
            Problem: the disk is full or not writable; the earlier checkpoints are untouched.
        """
        if not self.world.is_main:
            return
        averaged = trained.averaged.state_dict() if trained.averaged else {}
        whole = {
            "optimizers": [optimizer.state_dict() for optimizer in trained.optimizers],
            "averaged": averaged,
            **state,
        }
        with self.writing(step) as folder:
            save_weights(trained.model, folder / WEIGHTS)
            torch.save(whole, folder / STATE)
            self.publish(folder, {file.name: fingerprint(file) for file in folder.iterdir()}, best)

    def load(self, name: str, trained: Trained, device: torch.device) -> dict[str, Any]:
        """Bring back what was trained, and return the rest of the state.

        Raises:
            Problem: the checkpoint is damaged.
        """
        folder = self.verified(name)
        load_weights(trained.model, folder / WEIGHTS)
        state: dict[str, Any] = torch.load(folder / STATE, map_location=device, weights_only=True)
        for optimizer, saved in zip(trained.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        if trained.averaged:
            trained.averaged.load_state_dict(state["averaged"])
        return state

    def load_evaluated(self, name: str, model: nn.Module) -> None:
        """Read the weights whose metrics count into `model`: the moving average where there is one.

        Raises:
            Problem: the checkpoint is damaged.
        """
        folder = self.verified(name)
        load_weights(model, folder / WEIGHTS)
        averaged = torch.load(folder / STATE, map_location="cpu", weights_only=True)["averaged"]
        prefix = "module."
        if averaged:
            kept = {name: tensor for name, tensor in averaged.items() if name.startswith(prefix)}
            model.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in kept.items()})
