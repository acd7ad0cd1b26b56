"""`load(run)` gives a trained model; the commands are in `commands`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .predict import load as load

__all__ = ["load"]


def __getattr__(name: str) -> object:
    # PyTorch takes seconds to import, and `--help` should not wait for it.
    if name == "load":
        from .predict import load

        return load
    raise AttributeError(name)
