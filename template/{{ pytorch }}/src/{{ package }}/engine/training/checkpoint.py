"""Checkpoints that are whole or absent, verified before use; `checkpoint_storage.py` says what is in one.

    checkpoints/
      step-200/     the files of one
      index.json    which checkpoints there are, the best of them, and the files' SHA-256

A checkpoint is written as `step-200.tmp`, synced to disk and renamed; then the index is replaced in one step. A crash
at any moment leaves an index that names whole checkpoints. The last two and the best are kept, so that a damaged one
has a predecessor, and those of every `keep_every` steps.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_model
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.files import like_new, replace, sync, sync_all, write_atomically
from ..core.json_io import read_json
from .process_group import Processes

T = TypeVar("T")

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to; it is refused elsewhere."""

    config: str
    data: str


def identity_of(run: Path, data: str) -> Identity:
    """What the checkpoints of a run on these data belong to; a run that is trained longer keeps them."""
    config = read_json(run / "config.json", "train")
    del config["train"]["steps"]
    return Identity(fingerprint(json.dumps(config)), data)


class Trained(NamedTuple):
    """What training changes, and a checkpoint brings back in place."""

    model: nn.Module
    optimizers: list[Optimizer]
    averaged: AveragedModel | None = None


class Index:
    """Which checkpoints a run has."""

    def __init__(self, folder: Path, identity: Identity, world: Processes, keep_every: int = 0) -> None:
        self.folder, self.identity, self.world, self.keep_every = folder, identity, world, keep_every
        self.index: dict[str, Any] = self._read()

    @property
    def names(self) -> list[str]:
        """The checkpoints, the newest first."""
        return sorted(self.index["checkpoints"], key=step_of, reverse=True)

    @property
    def last(self) -> str | None:
        return self.names[0] if self.names else None

    @property
    def best(self) -> str | None:
        best: str | None = self.index["best"]
        return best

    @contextmanager
    def writing(self, step: int) -> Iterator[Path]:
        """A folder to write the checkpoint of `step` into, and then to `publish`.

        Raises:
            Problem: the disk is full or not writable; the earlier checkpoints are untouched.
        """
        temporary = self.folder / f"step-{step}.tmp"
        go_on = f"go on from {self.last or 'the start'} with train --resume"
        self._remove(temporary)
        try:
            with saving(f"the checkpoint of step {step} in {self.folder}", go_on):
                if self.world.is_main:
                    temporary.mkdir(parents=True)
                yield temporary
        finally:
            self._remove(temporary)

    def publish(self, temporary: Path, files: dict[str, str], best: bool) -> None:
        """Give a written checkpoint its name and put it into the index; forget those that are no longer needed."""
        name = temporary.stem
        index = self._with(name, files, best)
        if self.world.is_main:
            sync_all(temporary)
            shutil.rmtree(self.folder / name, ignore_errors=True)
            replace(temporary, self.folder / name)
            sync(self.folder)
            write_atomically(self.folder / "index.json", json.dumps(index, indent=1) + "\n")
        self.index = index
        for folder in self.folder.glob("step-*"):
            if folder.name not in index["checkpoints"]:
                self._remove(folder)

    def go_back(self, step: int) -> None:
        """Make the checkpoint of `step` the last one, and drop those after it.

        Raises:
            Problem: there is none.
        """
        steps = [step_of(name) for name in self.names]
        if step not in steps:
            there = ", ".join(map(str, reversed(steps))) or "none"
            raise Problem(f"there is no checkpoint of step {step}: --from takes one of {there}")
        kept = {name: entry for name, entry in self.index["checkpoints"].items() if step_of(name) <= step}
        best = self.best if self.best in kept else None
        self.index = self.index | {"best": best, "checkpoints": kept}
        if self.world.is_main:
            write_atomically(self.folder / "index.json", json.dumps(self.index, indent=1) + "\n")
        self.world.barrier()

    def verified(self, name: str) -> Path:
        """The folder of a checkpoint.

        Raises:
            Problem: its files are not what they were.
        """
        files = self.index["checkpoints"][name]["files"]
        refuse(damaged(self.folder / name, files.items()))
        return self.folder / name

    def first_whole(self, names: list[str], load: Callable[[str], T]) -> tuple[T | None, list[str]]:
        """What `load` makes of the first of these checkpoints that is undamaged, and a remark for every damaged one.

        Raises:
            Problem: there are checkpoints, and all of them are damaged.
        """
        remarks: list[str] = []
        for name in names:
            try:
                return load(name), remarks
            except Problem as problem:
                remarks.append(str(problem))
        if remarks:
            raise Problem(f"no checkpoint can be used: {'; '.join(remarks)}. Start a new run with train")
        return None, remarks

    def _read(self) -> dict[str, Any]:
        file = self.folder / "index.json"
        if not file.exists():
            return {"identity": vars(self.identity), "best": None, "checkpoints": {}}
        remedy = "restore it, or start a new run with train"
        index = read_json(file, "identity", "best", "checkpoints", remedy=remedy)
        try:
            belongs = Identity(**index["identity"])
            whole = all(step_of(name) >= 0 and "files" in of for name, of in index["checkpoints"].items())
        except (ValueError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise Problem(f"{file} is damaged: {remedy}")
        if belongs.config != self.identity.config:
            raise Problem(f"{self.folder} belongs to another configuration than this run's: start a new run with train")
        if belongs.data != self.identity.data:
            raise Problem(f"{self.folder} belongs to other data than today's: restore them, or start a new run")
        return index

    def _with(self, name: str, files: dict[str, str], best: bool) -> dict[str, Any]:
        """The index with one checkpoint more, and without those that are then not needed."""
        checkpoints = self.index["checkpoints"] | {name: {"files": files}}
        index = self.index | {"best": name if best else self.best, "checkpoints": checkpoints}
        kept = {index["best"], *sorted(checkpoints, key=step_of)[-2:]}
        if self.keep_every:
            kept |= {name for name in checkpoints if step_of(name) % self.keep_every == 0}
        index["checkpoints"] = {name: entry for name, entry in checkpoints.items() if name in kept}
        return index

    def _remove(self, folder: Path) -> None:
        if self.world.is_main:
            shutil.rmtree(folder, ignore_errors=True)


def step_of(name: str) -> int:
    """The step of the checkpoint of this name."""
    return int(name.removeprefix("step-"))


def damaged(folder: Path, files: Iterable[tuple[str, str]]) -> list[Path]:
    """Those of the files, given with their checksums, that are missing or hold something else."""
    return [
        folder / name for name, digest in files if not (folder / name).is_file() or fingerprint(folder / name) != digest
    ]


def refuse(files: list[Path]) -> None:
    """Raise a Problem where there are damaged files."""
    if files:
        raise Problem(f"{files[0]} is damaged")


@contextmanager
def saving(what: str, go_on: str) -> Iterator[None]:
    """Turn whatever a full or read-only disk raises, in Python or in the libraries, into a `Problem`."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        raise Problem(f"cannot save {what} ({error}): free space there, then {go_on}") from error


def weights_of(run: Path) -> Path:
    """The file with the weights of a finished run.

    Raises:
        Problem: it has not finished.
    """
    if not (run / MODEL).exists():
        raise Problem(f"{run} has not finished training: resume it with train --resume")
    return run / MODEL


def save_weights(model: nn.Module, file: Path) -> None:
    """Write a model's weights as safetensors, atomically; tensors that share memory are written once."""
    temporary = file.with_name(f"{file.name}.tmp")
    try:
        save_model(model, str(temporary))
        like_new(temporary)
        sync(temporary)
        replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def load_weights(model: nn.Module, file: Path) -> None:
    """Read weights into a model.

    Raises:
        Problem: the file is missing or damaged, or holds the weights of another architecture.
    """
    try:
        load_model(model, file)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise Problem(f"{file} cannot be loaded into this model: {reason_of(error)}") from error


def load_fitting(model: nn.Module, file: Path) -> list[str]:
    """Read into a model those weights whose shapes fit; the names of those that keep their random values.

    A run on other classes has another last layer, and is still a start.

    Raises:
        Problem: the file is missing or damaged, or fewer than half of the weights fit: it is another architecture's.
    """
    try:
        saved = load_file(file)
    except (OSError, SafetensorError) as error:
        raise Problem(f"{file} cannot be loaded into this model: {reason_of(error)}") from error
    own = model.state_dict()
    fitting = {name: value for name, value in saved.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict(fitting, strict=False)
    taken = {own[name].data_ptr() for name in fitting}
    kept = [name for name, value in own.items() if value.data_ptr() not in taken]
    if 2 * len(kept) > len(own):
        raise Problem(f"{file} is of another model: {len(kept)} of {len(own)} weights do not fit, such as {kept[0]}")
    return kept


def reason_of(error: Exception) -> str:
    """The first thing that is wrong, without what PyTorch says before it."""
    lines = str(error).splitlines()
    return lines[1 if len(lines) > 1 and lines[0].startswith("Error(s) in loading") else 0].strip()
