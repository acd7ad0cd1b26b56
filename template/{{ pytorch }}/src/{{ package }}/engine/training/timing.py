"""How long something takes on a device."""

import time
from collections.abc import Callable

import torch

from .device import Device

WARM_UP = 3
"""Calls before the clock counts: the first ones allocate memory and choose kernels."""
MOST = 200
"""Calls that are enough, however short they are."""


def wait(device: Device) -> None:
    """Let everything that was started on the device finish."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


def timings(action: Callable[[], object], device: Device, *, seconds: float, fewest: int = 5) -> list[float]:
    """Seconds that each call takes, with everything that it starts on the device.

    It is called for about `seconds`, at least `fewest` times, and at most `MOST` times where that is more.
    """
    for _ in range(WARM_UP):
        action()
    times: list[float] = []
    while len(times) < fewest or (len(times) < MOST and sum(times) < seconds):
        wait(device)
        started = time.perf_counter()
        action()
        wait(device)
        times.append(time.perf_counter() - started)
    return times
