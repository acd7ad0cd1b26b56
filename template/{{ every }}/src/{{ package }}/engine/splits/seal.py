"""The seal on the test split: `evaluate --final` alone opens it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from ..core.errors import Problem

SEALED = "test"

Data = TypeVar("Data", bound=Callable[..., Any])
_is_open = ContextVar("_is_open", default=False)


def sealed(data: Data) -> Data:
    """A task's `data` that refuses the test split while it is sealed."""

    @wraps(data)
    def guarded(self: Any, split: str) -> Any:
        refuse_sealed(split)
        return data(self, split)

    return guarded  # type: ignore[return-value]


def refuse_sealed(split: str) -> None:
    """Keep the test split from whoever asks for it.

    Raises:
        Problem: it is sealed.
    """
    if split == SEALED and not _is_open.get():
        raise Problem("the test split is sealed: evaluate --final opens it. Train and choose on the validation split")


@contextmanager
def opened() -> Iterator[None]:
    """Break the seal for a while."""
    token = _is_open.set(True)
    try:
        yield
    finally:
        _is_open.reset(token)
