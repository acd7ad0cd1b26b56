"""A checkpoint is sharded: every process writes its part, and any number of processes reads it.

    step-200/shard-00001-*.safetensors   the first process's part of weights, optimizer and moving average
    step-200/shard-00002-*.safetensors   the second's, and so on
    step-200/state.pt                    everything else: tensors and builtins only

The shards are in torch.distributed.checkpoint's safetensors format. Its own format holds a pickle, and loading a run
must execute nothing that is in it.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim import Optimizer

from ..core.config_io import fingerprint
from ..core.errors import Problem
from .checkpoint import Index, Trained, damaged, refuse

STATE = "state.pt"
MODEL, AVERAGED, OPTIMIZER = "model.", "averaged.", "optimizer."
"""What the names of the tensors in the shards begin with."""


class Checkpoints(Index):
    """The checkpoints of one run."""

    def save(self, step: int, trained: Trained, state: dict[str, Any], best: bool) -> None:
        """Write the checkpoint of `step`, on every process, then forget the ones that are no longer needed.

        Raises:
            Problem: the disk is full or not writable; the earlier checkpoints are untouched.
        """
        with self.writing(step) as folder:
            self.world.barrier()
            write(weights(trained) | moments(trained), folder, alone=self.world.size == 1)
            mine = list(folder.glob(f"shard-{self.world.rank + 1:05}-*"))
            if self.world.is_main:
                torch.save(state, folder / STATE)
                mine.append(folder / STATE)
            shares = self.world.gather({file.name: fingerprint(file) for file in mine})
            self.publish(folder, {name: digest for share in shares for name, digest in share.items()}, best)
            self.world.barrier()

    def load(self, name: str, trained: Trained, device: torch.device) -> dict[str, Any]:
        """Bring back what was trained, on every process, and return the rest of the state.

        Raises:
            Problem: the checkpoint is damaged, or holds another architecture.
        """
        folder = self.folder / name
        files = sorted(self.index["checkpoints"][name]["files"].items())
        shares = self.world.gather(damaged(folder, files[self.world.rank :: self.world.size]))
        refuse([file for share in shares for file in share])
        live, saved = weights(trained), contents(folder)
        refuse_others(folder, live.keys() ^ {name for name in saved if not name.startswith(OPTIMIZER)})
        states = [empty_moments(saved, number, optimizer) for number, optimizer in enumerate(trained.optimizers)]
        read(live | named(states), folder, alone=self.world.size == 1)
        for optimizer, moments_of in zip(trained.optimizers, states, strict=True):
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": moments_of, "param_groups": groups})
        state: dict[str, Any] = torch.load(folder / STATE, map_location=device, weights_only=True)
        return state

    def load_evaluated(self, name: str, model: nn.Module) -> None:
        """Read the weights whose metrics count into `model`, whole, on this process alone.

        They are the moving average where there is one.

        Raises:
            Problem: the checkpoint is damaged, or holds another architecture.
        """
        folder = self.verified(name)
        averaged = any(name.startswith(AVERAGED) for name in contents(folder))
        read(tensors(model, f"{AVERAGED}module." if averaged else MODEL), folder, alone=True)


def weights(trained: Trained) -> dict[str, Tensor]:
    """The live tensors of the model and its moving average."""
    averaged = tensors(trained.averaged, AVERAGED) if trained.averaged else {}
    return tensors(trained.model, MODEL) | averaged


def tensors(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    """The live tensors of a module; one that has several names is listed under the first."""
    first: dict[Tensor, str] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        first.setdefault(tensor, prefix + name)
    return {name: tensor.detach() for tensor, name in first.items()}


def moments(trained: Trained) -> dict[str, Tensor]:
    """The live tensors of the optimizers."""
    return named([optimizer.state_dict()["state"] for optimizer in trained.optimizers])


def named(states: list[dict[int, dict[str, Tensor]]]) -> dict[str, Tensor]:
    """The optimizers' states under the names that they have in the shards."""
    return {
        f"{OPTIMIZER}{number}.{index}.{key}": tensor
        for number, state in enumerate(states)
        for index, values in state.items()
        for key, tensor in values.items()
    }


def empty_moments(saved: dict[str, Any], number: int, optimizer: Optimizer) -> dict[int, dict[str, Tensor]]:
    """Room for the state that was saved of an optimizer: what has its parameter's shape is sharded like it."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for name, entry in saved.items():
        if name.startswith(f"{OPTIMIZER}{number}."):
            index, key = name.removeprefix(f"{OPTIMIZER}{number}.").split(".")
            p, dtype = parameters[int(index)], entry.properties.dtype
            alike = entry.size == p.shape
            state[int(index)][key] = torch.empty_like(p, dtype=dtype) if alike else torch.empty(entry.size, dtype=dtype)
    return dict(state)


def contents(folder: Path) -> dict[str, Any]:
    """The names, sizes and types of the tensors in a checkpoint."""
    return HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata


def refuse_others(folder: Path, names: set[str]) -> None:
    """Raise a Problem where there are tensors that only the model or only the checkpoint has."""
    if names:
        raise Problem(f"{folder} cannot be loaded into this model: only one of them has {', '.join(sorted(names)[:3])}")


def write(values: dict[str, Tensor], folder: Path, alone: bool) -> None:
    """Write this process's part of the tensors."""
    values = {name: tensor.contiguous() for name, tensor in values.items()}
    with one_error():
        writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
        save(values, storage_writer=writer, no_dist=alone)


def read(values: dict[str, Tensor], folder: Path, alone: bool) -> None:
    """Fill the tensors with what a checkpoint holds under their names.

    Raises:
        Problem: it holds none of a name, or of another shape.
    """
    try:
        with one_error():
            load(values, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=alone)
    except RuntimeError as error:
        raise Problem(f"{folder} cannot be loaded into this model: {error}") from error


@contextmanager
def one_error() -> Iterator[None]:
    """Raise what failed first, on whichever process, instead of PyTorch's collection of all tracebacks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        try:
            yield
        except CheckpointException as error:
            reason, _ = next(iter(error.failures.values()))
            raise RuntimeError(str(reason).splitlines()[0]) from error
