"""Every source of randomness.

Nothing here depends on what was drawn before: the order of the data is a function of (seed, epoch), and each
micro-batch's noise one of (seed, step, micro-batch). A resumed run therefore needs no generator's state, and neither
the number of workers nor the number of processes changes what is drawn.
"""

import hashlib
import os
import random

import numpy as np
import torch


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from any parts."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1


def seed_all(seed: int) -> None:
    """Seed every global generator."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed does the same for every kind of device there could be, which takes 0.15 ms at each step.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(seed)
    elif torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


def generator(device: torch.device, seed: int) -> torch.Generator:
    """A torch generator of its own; any integer will do as a seed."""
    return torch.Generator(device).manual_seed(seed % 2**63)


def be_deterministic() -> None:
    """Choose deterministic kernels, before CUDA starts; an operation that has none raises and names itself."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if torch.cuda.is_available():
        torch.use_deterministic_algorithms(True)
    else:
        # The same without importing the compiler, which takes a second and serves CUDA alone here. Apple's GPU has no
        # deterministic kernel for as much as the gradient of an embedding: there it warns.
        torch.set_deterministic_debug_mode("warn" if torch.backends.mps.is_available() else "error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
