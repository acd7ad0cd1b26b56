"""The networks, the diffusion process and the samplers: tensors in, tensors out.

No optimizer, loader or loop is known here. Both networks take a noisy image x_t, its time t and its class y, where the
number of classes stands for no class, and say of it what the process wants to know.

    process.py      how noise is added, and what is learned of it
    dit.py          a transformer on patches
    unet.py         a convolutional network
    embedding.py    time and class, as both networks take them
    sampling.py     from noise to images
"""

from torch import nn

from ..config import ModelConfig
from ..engine.images.examples import Facts
from . import dit, unet
from .process import Process, build_process

__all__ = ["Process", "build_network", "build_process", "flops"]


def build_network(config: ModelConfig, images: Facts) -> nn.Module:
    """The network of a configuration.

    Raises:
        Problem: the images cannot be cut into its patches, or not be halved as often.
    """
    return dit.DiT(config, images) if config.network == "dit" else unet.UNet(config, images)


def flops(config: ModelConfig, images: Facts) -> float:
    """Floating-point operations of a forward pass, per image."""
    return dit.flops(config, images) if config.network == "dit" else unet.flops(config, images)
