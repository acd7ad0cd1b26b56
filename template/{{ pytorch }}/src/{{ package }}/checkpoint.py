"""Checkpoints that are whole or absent, verified before use.

    checkpoints/
      step-200/model.safetensors   the weights
      step-200/state.pt            the optimizer and everything else: tensors and builtins only
      index.json                   which checkpoints there are, the best of them, and the files' SHA-256

A checkpoint is written as `step-200.tmp`, synced to disk and renamed; then the index is replaced in one step. A crash
at any moment leaves an index that names whole checkpoints. The last two and the best are kept, so that a damaged one
has a predecessor.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from .errors import Problem
from .settings import fingerprint
from .splits import write_atomically

WEIGHTS, STATE = "model.safetensors", "state.pt"


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to; it is refused elsewhere."""

    config: str
    data: str


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.folder, self.identity = folder, identity
        self.index: dict[str, Any] = self._read_index()

    def save(self, step: int, model: nn.Module, state: dict[str, Any], best: bool) -> None:
        """Write the checkpoint of `step`, then forget the ones that are no longer needed.

        Raises:
            Problem: the disk is full or not writable; the earlier checkpoints are untouched.
        """
        name = f"step-{step}"
        temporary = self.folder / f"{name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        go_on = f"go on from {self.last or 'the start'} with train --resume"
        try:
            with saving(f"the checkpoint of step {step} in {self.folder}", go_on):
                temporary.mkdir(parents=True)
                save_weights(model, temporary / WEIGHTS)
                torch.save(state, temporary / STATE)
                files = {file.name: fingerprint(file) for file in temporary.iterdir()}
                for path in (*temporary.iterdir(), temporary):
                    sync(path)
                shutil.rmtree(self.folder / name, ignore_errors=True)
                temporary.rename(self.folder / name)
                sync(self.folder)
                self._write_index(name, files, best)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._prune()

    def load(self, name: str, model: nn.Module, device: torch.device) -> dict[str, Any]:
        """Put the weights of a checkpoint into `model` and return the rest of its state.

        Raises:
            Problem: it is damaged, or belongs to another configuration or other data.
        """
        folder = self.folder / name
        for file, digest in self.index["checkpoints"][name]["files"].items():
            if not (folder / file).is_file() or fingerprint(folder / file) != digest:
                raise Problem(f"{folder / file} is damaged")
        load_weights(model, folder / WEIGHTS)
        state: dict[str, Any] = torch.load(folder / STATE, map_location=device, weights_only=True)
        return state

    def load_last(self, model: nn.Module, device: torch.device) -> tuple[dict[str, Any] | None, list[str]]:
        """The state of the newest undamaged checkpoint, and a remark for every damaged one.

        Raises:
            Problem: there are checkpoints, and all of them are damaged.
        """
        return self.load_first(self.names, model, device)

    def load_first(
        self, names: list[str], model: nn.Module, device: torch.device
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """The state of the first of these checkpoints that is undamaged; see `load_last`."""
        remarks: list[str] = []
        for name in names:
            try:
                return self.load(name, model, device), remarks
            except Problem as problem:
                remarks.append(str(problem))
        if remarks:
            raise Problem(f"no checkpoint can be used: {'; '.join(remarks)}. Start a new run with train")
        return None, remarks

    @property
    def names(self) -> list[str]:
        """The checkpoints, the newest first."""
        return sorted(self.index["checkpoints"], key=lambda name: -int(name.removeprefix("step-")))

    @property
    def last(self) -> str | None:
        return self.names[0] if self.names else None

    @property
    def best(self) -> str | None:
        best: str | None = self.index["best"]
        return best

    def _read_index(self) -> dict[str, Any]:
        file = self.folder / "index.json"
        if not file.exists():
            return {"identity": vars(self.identity), "best": None, "checkpoints": {}}
        try:
            index: dict[str, Any] = json.loads(file.read_text())
            belongs = Identity(**index["identity"])
        except (ValueError, KeyError, TypeError) as error:
            raise Problem(f"{file} is damaged ({error}): restore it, or start a new run with train") from error
        if belongs.config != self.identity.config:
            raise Problem(f"{self.folder} belongs to another configuration than this run's: start a new run with train")
        if belongs.data != self.identity.data:
            raise Problem(f"{self.folder} belongs to other data than today's: restore them, or start a new run")
        return index

    def _write_index(self, name: str, files: dict[str, str], best: bool) -> None:
        checkpoints = self.index["checkpoints"] | {name: {"files": files}}
        index = self.index | {"best": name if best else self.best, "checkpoints": checkpoints}
        kept = {index["best"], *sorted(checkpoints, key=lambda name: int(name.removeprefix("step-")))[-2:]}
        index["checkpoints"] = {name: entry for name, entry in checkpoints.items() if name in kept}
        write_atomically(self.folder / "index.json", json.dumps(index, indent=1) + "\n")
        self.index = index

    def _prune(self) -> None:
        for folder in self.folder.glob("step-*"):
            if folder.name not in self.index["checkpoints"]:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def saving(what: str, go_on: str) -> Iterator[None]:
    """Turn whatever a full or read-only disk raises, in Python or in the libraries, into a `Problem`."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        raise Problem(f"cannot save {what} ({error}): free space there, then {go_on}") from error


def save_weights(model: nn.Module, file: Path) -> None:
    """Write a model's weights as safetensors; tensors that share memory are written once."""
    save_model(model, str(file))


def load_weights(model: nn.Module, file: Path) -> None:
    """Read weights into a model.

    Raises:
        Problem: the file is missing or damaged, or holds the weights of another architecture.
    """
    try:
        load_model(model, file)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise Problem(f"{file} cannot be loaded into this model: {reason}") from error


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
