"""Processes that a test starts: copies of this one where the system makes them, so that nothing is imported again."""

import multiprocessing
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

COPIED = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods() and torch.version.cuda is None
"""Elsewhere a process begins empty: Windows cannot copy one, the libraries of macOS do not expect it, and in PyTorch's
build for CUDA autograd has threads after some tests, which a copy would lack."""


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    """A process that does this work, which is a function of a test's module."""
    context: Any = multiprocessing.get_context("fork" if COPIED else "spawn")
    # An empty process would compute with as many threads as there are cores, and other bits.
    target, given = (work, arguments) if COPIED else (with_threads, (torch.get_num_threads(), work, *arguments))
    process: BaseProcess = context.Process(target=target, args=given)
    with warnings.catch_warnings():
        # Python warns of copies where there are threads: those of pytest-xdist and TensorBoard hold no lock for long.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    return process


def with_threads(threads: int, work: Callable[..., None], *arguments: object) -> None:
    """Do the work as this process would."""
    torch.set_num_threads(threads)
    work(*arguments)


def wait_for(sign: Path, process: BaseProcess) -> None:
    """Wait until a process has left this sign, a file."""
    deadline = time.monotonic() + 60
    while not sign.exists():
        assert process.is_alive(), "it ended by itself"
        assert time.monotonic() < deadline, "it did not get there"
        time.sleep(0.002)


def together(work: Callable[[], None]) -> None:
    """Do the same work in two processes that are connected as `torchrun` connects them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [start(connected, rank, port, work) for rank in (0, 1)]
    for process in processes:
        process.join(120)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0], "what they said is above"


def connected(rank: int, port: int, work: Callable[[], None]) -> None:
    """The work of one of the two."""
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if sys.platform == "darwin":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo0"  # a Mac may not find itself by its name
    torch.set_num_threads(1)
    work()
    # What is compared is done; at the interpreter's end, gloo's threads can abort a process that finished its work.
    os._exit(0)
