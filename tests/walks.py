"""The files that a reader opens to follow a command to a call: those on the stack when it happens, from the top.

Run in a project's folder, with its source on the path: python walks.py PACKAGE WALK COMMAND...
"""

import json
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

ENDS = {
    "step": ("torch.optim", "AdamW.step"),
    "resume": ("{package}.engine.training.checkpoint_storage", "Checkpoints.load"),
    "results": ("{package}.engine.core.files", "write_atomically"),
}
"""The call that each walk ends with: its module, and its name there."""


class Reached(BaseException):
    """The walk is over; nothing in the project catches this."""


def on_the_stack(frame: FrameType | None, source: Path) -> list[str]:
    """The files of the package that are being executed, the outermost first."""
    found: list[str] = []
    while frame:
        file = Path(frame.f_code.co_filename)
        if source in file.parents:
            found.insert(0, file.relative_to(source).as_posix())
        frame = frame.f_back
    return list(dict.fromkeys(found))


def follow(package: str, name: str, words: list[str]) -> list[str]:
    """The files on a walk, that of the call at its end included where it is the package's."""
    place, call = (part.format(package=package) for part in ENDS[name])
    source = Path(import_module(package).__file__ or "").parent.resolve()
    end = import_module(place)
    owner: Any = end
    *classes, function = call.split(".")
    for part in classes:
        owner = getattr(owner, part)
    original = getattr(owner, function)
    reached: list[str] = []

    def stop(*arguments: Any, **options: Any) -> Any:
        if name == "results" and Path(arguments[0]).name != "results.json":
            return original(*arguments, **options)
        own = Path(end.__file__ or "")
        last = [own.relative_to(source).as_posix()] if source in own.parents else []
        reached.extend(dict.fromkeys(on_the_stack(sys._getframe(1), source) + last))
        raise Reached

    command = import_module(f"{package}.__main__").main
    setattr(owner, function, stop)
    with suppress(Reached):
        command(words)
    return reached


if __name__ == "__main__":
    print(json.dumps(follow(sys.argv[1], sys.argv[2], sys.argv[3:])))
