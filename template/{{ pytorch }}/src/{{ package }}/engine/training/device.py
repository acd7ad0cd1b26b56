"""Where to compute, and in which precision."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec

import torch

from ..core.batch import Batch
from ..core.errors import Problem
from .config import TrainConfig


@dataclass(frozen=True)
class Device:
    """A device and whether its forward and backward passes run in bf16 autocast."""

    type: str
    bf16: bool

    @property
    def torch_device(self) -> torch.device:
        return torch.device("cuda", torch.cuda.current_device()) if self.type == "cuda" else torch.device(self.type)

    @property
    def precision(self) -> str:
        return "bf16" if self.bf16 else "fp32"

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.type, torch.bfloat16, enabled=self.bf16)

    def receive(self, batch: Batch) -> Batch:
        """A batch, moved to this device."""
        # Only memory that CUDA pinned may be copied while the program goes on.
        return {name: value.to(self.torch_device, non_blocking=self.type == "cuda") for name, value in batch.items()}


def choose(device: str = "auto", precision: str = "auto") -> Device:
    """The device to use: the one asked for, else CUDA, Apple's MPS or the CPU, whichever is there first.

    Raises:
        Problem: the device asked for is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name in there if there[name])
    if not there[device]:
        names = ", ".join(name for name in there if there[name])
        raise Problem(f"--train.device {device} is not available to this PyTorch; there is: {names}")
    return Device(device, precision == "bf16" or (precision == "auto" and bf16_is_fast(device)))


def choose_for_use(config: TrainConfig) -> Device:
    """The device for a finished run: the one it was trained on, or what there is where that is missing."""
    try:
        return choose(config.device, config.precision)
    except Problem:
        return choose("auto", config.precision)


def bf16_is_fast(device: str) -> bool:
    """Whether the device multiplies bf16 matrices in hardware; emulated, they are many times slower than fp32."""
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    if device == "cpu":
        has = torch.cpu.get_capabilities()
        return bool(has.get("amx_bf16") or has.get("avx512_bf16"))
    return False


def describe(device: Device) -> str:
    """The device's name, for people."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return str(torch.cpu.get_capabilities().get("cpu_name", "CPU")) if device.type == "cpu" else "Apple GPU"


def compiles(device: Device, wish: str) -> bool:
    """Whether to compile the model: `wish` is on, off, or auto, which is on CUDA where Triton is there.

    PyTorch's build for Windows comes without Triton. Runs of version 0.1.0 recorded False for off.
    """
    if wish == "on":
        return True
    if wish in ("off", False) or device.type != "cuda":
        return False
    if find_spec("triton") is None:
        print("training without torch.compile, which is slower: Triton is not installed", file=sys.stderr)
        return False
    return True
