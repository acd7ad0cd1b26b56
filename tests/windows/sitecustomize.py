"""Makes each Python process that finds this on its path see files as on Windows, as far as Linux can show it.

text without a named encoding is cp1252, and its ends of line are written as CRLF
what is open, or mapped into memory, cannot be renamed, replaced or removed
a rename never replaces; a folder is never replaced, cannot be opened and so not synced
a file that is open for reading alone cannot be synced
names hold no : * ? " < > |, and end in neither a dot nor a space
links need a privilege that the user lacks, and a signal to oneself ends the process
the processes that multiprocessing starts begin empty
"""

# pathlib calls what is replaced here:
# ruff: noqa: PTH110, PTH112, PTH115, PTH118, PTH119, PTH208
import builtins
import errno
import fcntl
import io
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NoReturn

real_open, real_os_open, real_fsync, real_kill = io.open, os.open, os.fsync, os.kill
FORBIDDEN = set(':*?"<>|')


def refuse(number: int, path: object) -> NoReturn:
    raise OSError(number, os.strerror(number), str(path))


def check_name(path: Any) -> None:
    if isinstance(path, int):
        return
    name = os.path.basename(os.fsdecode(path))
    if FORBIDDEN & {*name} or (name.strip(".") and name.endswith((".", " "))):
        refuse(errno.EINVAL, path)


def open_text(
    file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None, newline: Any = None,
    closefd: bool = True, opener: Any = None,
) -> Any:  # fmt: skip
    if "b" not in mode and not isinstance(file, int):
        encoding = "cp1252" if encoding in (None, "locale") else encoding
        newline = "\r\n" if newline is None and set(mode) & set("wax") else newline
    if set(mode) & set("wax"):
        check_name(file)
    return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)


def used(path: str) -> bool:
    """Whether this process has a file open, or mapped, that is this one or lies below it."""
    whole = os.path.realpath(path)
    descriptors = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    held = {os.readlink(name) for name in descriptors if os.path.exists(name) and not os.path.isdir(name)}
    with real_open("/proc/self/maps", encoding="utf-8") as maps:
        held |= {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if line.count("/")}
    return any(name == whole or name.startswith(f"{whole}/") for name in held)


def while_unused(change: Callable[..., None]) -> Callable[..., None]:
    def changed(path: Any, *arguments: Any, **options: Any) -> None:
        if options.get("dir_fd") is None and used(os.fsdecode(path)):
            refuse(errno.EACCES, path)
        change(path, *arguments, **options)

    return changed


def rename(source: Any, target: Any, **options: Any) -> None:
    if os.path.exists(target):
        refuse(errno.EEXIST, target)
    replace(source, target, **options)


def replace(source: Any, target: Any, **options: Any) -> None:
    check_name(target)
    if used(os.fsdecode(source)) or used(os.fsdecode(target)) or os.path.isdir(target):
        refuse(errno.EACCES, target)
    real_replace(source, target, **options)


def os_open(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
    descriptor = real_os_open(path, flags, *arguments, **options)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        refuse(errno.EACCES, path)
    return descriptor


def fsync(file: Any) -> None:
    descriptor = file if isinstance(file, int) else file.fileno()
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        refuse(errno.EBADF, file)
    real_fsync(descriptor)


def mkdir(path: Any, *arguments: Any, **options: Any) -> None:
    check_name(path)
    real_mkdir(path, *arguments, **options)


def symlink(*_: Any, **__: Any) -> NoReturn:
    refuse(errno.EPERM, "a required privilege is not held by the client")


def kill(pid: int, number: int) -> None:
    real_kill(pid, 9 if pid == os.getpid() else number)


def popen(process: Any, *arguments: Any, **options: Any) -> None:
    if (options.get("text") or options.get("universal_newlines")) and not options.get("encoding"):
        options["encoding"] = "cp1252"
    real_popen(process, *arguments, **options)


real_replace, real_mkdir, real_popen = os.replace, os.mkdir, subprocess.Popen.__init__
STAND_INS: list[tuple[Any, str, Callable[..., Any]]] = [
    (io, "open", open_text),
    (builtins, "open", open_text),
    (subprocess.Popen, "__init__", popen),
    *((os, name, while_unused(getattr(os, name))) for name in ("unlink", "remove", "rmdir")),
    *((os, function.__name__, function) for function in (rename, replace, mkdir, symlink, kill, fsync)),
    (os, "open", os_open),
]
for owner, attribute, stand_in in STAND_INS:
    setattr(owner, attribute, stand_in)
shutil._use_fd_functions = False  # type: ignore[attr-defined]
multiprocessing.set_start_method("spawn")
multiprocessing.get_all_start_methods = lambda: ["spawn"]
os.environ["PYTHONIOENCODING"] = "cp1252"
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="cp1252")
