"""A network of the library timm, with the weights that it learned on other images."""

import difflib
import math
import re
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..core.cache import kept
from ..core.config_io import fingerprint
from ..core.errors import Problem
from .examples import Facts

WEIGHTS = "model.safetensors"
MOST = 300
"""Characters of an error of the library's that are shown."""


class Backbone(nn.Module):
    """Images with pixels from 0 to 1 to the logits of each class.

    A norm over the batch keeps the statistics that it learned with, so that an image's logits do not depend on its
    neighbours and a small batch does no harm.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, frozen: str, images: Facts) -> None:
        """`frozen` is "nothing", the "stem", or "all" but the last layer.

        Raises:
            Problem: timm is not installed, or has no such network for these images.
        """
        super().__init__()
        self.network = create(name, images)
        self.channels_last = getattr(self.network, "output_fmt", "") == "NHWC"
        for statistic in ("mean", "std"):
            values = torch.tensor(self.network.pretrained_cfg[statistic])
            values = values.mean(0, keepdim=True) if images.channels == 1 else values
            self.register_buffer(statistic, values[:, None, None], persistent=False)
        last = self.network.get_classifier()
        nn.init.normal_(last.weight, std=0.1 / math.sqrt(last.in_features))
        nn.init.zeros_(last.bias)
        freeze(self.network, frozen)
        self.train()

    def train(self, mode: bool = True) -> "Backbone":
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def features(self, images: Float[Tensor, "B C Y X"]) -> Tensor:
        """What the last layers see: (B, D, Y', X') of most networks."""
        found: Tensor = self.network.forward_features((images - self.mean) / self.std)
        return found.movedim(3, 1) if self.channels_last else found

    def classify(self, features: Tensor) -> Float[Tensor, "B K"]:
        """The logits of such features."""
        logits: Tensor = self.network.forward_head(features.movedim(1, 3) if self.channels_last else features)
        return logits

    def forward(self, images: Float[Tensor, "B C Y X"]) -> Float[Tensor, "B K"]:
        return self.classify(self.features(images))


def create(name: str, images: Facts, **further: Any) -> Any:
    """A network of timm for these images and their classes.

    Raises:
        Problem: timm is not installed, or has no such network for them.
    """
    try:
        import timm
    except ImportError:
        raise Problem("--backbone.name needs the library timm: uv sync --extra timm, or pip install timm") from None
    except RuntimeError as error:  # of torchvision, whose compiled part is made for one release of PyTorch
        raise Problem(
            f"timm cannot be imported: {error}. Install the torchvision that was made for PyTorch {torch.__version__}"
        ) from None
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), 3)
        raise Problem(f"timm has no network {name}" + (f": did you mean {', '.join(near)}?" if near else ""))
    settings: dict[str, Any] = {"num_classes": len(images.classes), "in_chans": images.channels}
    try:
        if timm.models.get_pretrained_cfg(name).fixed_input_size:
            settings["img_size"] = images.size
        network = timm.create_model(name, **settings, **further)
        with torch.no_grad():  # that the images are too small for them, some say here alone
            network.eval()(torch.zeros(1, images.channels, images.size, images.size))
    except Exception as error:  # whatever the library, its networks and the Hub raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise Problem(f"cannot make {name} for images of {images.size} pixels: {reason[:MOST]}") from None
    if not isinstance(network.get_classifier(), nn.Linear):
        raise Problem(f"{name} has no last layer to replace: choose another network of timm")
    return network


def freeze(network: Any, part: str) -> None:
    """Keep a part of a network as it is: "nothing", the "stem", or "all" but the last layer.

    Raises:
        Problem: timm does not say what the stem is.
    """
    if part == "all":
        network.requires_grad_(False)
        network.get_classifier().requires_grad_(True)
    if part == "stem":
        try:
            stem = network.group_matcher(coarse=True)["stem"]
            patterns = [stem] if isinstance(stem, str) else [pattern for pattern, _ in stem]
        except (AttributeError, KeyError, TypeError):
            raise Problem("timm does not say what this network's stem is: freeze all, or nothing") from None
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not any(re.match(pattern, name) for pattern in patterns))


def seeded(name: str, images: Facts, **further: Any) -> Any:
    """A network whose random weights are the same at each call, without a change to the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return create(name, images, **further)


def published(name: str, file: str, images: Facts) -> Path:
    """A file of the weights of a `Backbone`, without those of its last layer: from `file`, or else from the Hub.

    It is kept in the cache, so that the network is asked once.

    Raises:
        Problem: they cannot be had, or are another network's.
    """
    if file and not Path(file).is_file():
        raise Problem(f"--backbone.weights {file} does not exist")
    given = fingerprint(Path(file)) if file else "published"
    key = fingerprint(f"{name} {given} {images.size} {images.channels}")[:16]

    def make(folder: Path) -> None:
        random = seeded(name, images)
        network = seeded(name, images, pretrained=True, pretrained_cfg_overlay={"file": file} if file else None)
        last = {id(parameter) for parameter in network.get_classifier().parameters()}
        found = {key: value for key, value in network.state_dict(keep_vars=True).items() if id(value) not in last}
        before = random.state_dict()
        learned = [key for key, value in found.items() if isinstance(value, nn.Parameter) and value.requires_grad]
        drawn = [key for key in learned if (before[key] != before[key].flatten()[0]).any()]
        same = [key for key in drawn if torch.equal(before[key], found[key])]
        if same:  # timm warns of it, if at all, and goes on with random ones
            lacking = f"{len(same)} of the {len(drawn)} weights of {name}, such as {same[0]}"
            raise Problem(f"{file or 'what was published'} lacks {lacking}")
        save_file({f"network.{key}": value.detach().contiguous() for key, value in found.items()}, folder / WEIGHTS)

    source = file or "the Hugging Face Hub"
    return kept(f"backbone-{key}", f"getting the weights of {name} from {source}", make) / WEIGHTS
