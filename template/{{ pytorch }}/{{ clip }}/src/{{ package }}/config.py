"""The fields of the data, the model and the loss, with what each may be."""

from dataclasses import dataclass
from typing import Literal

from .engine.core.errors import Problem
from .engine.images.config import ImageConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig(ImageConfig):
    """Which images and captions, and what training does to them."""

    path: str | None = None
    """A .csv or .parquet with the columns path and caption, .tar files whose examples have a .txt, or hf:owner/name;
    drawn scenes where none is named."""
    size: int = 32
    """Pixels along the side that images of your own are brought to; the scenes have 32."""
    prompts: tuple[str, ...] = ("a large {}", "a big {}", "a large {} on a grey background")
    """What a class is called to the captions' tower: {} stands for its name, and the mean over these is its vector."""
    flip: bool = False
    """Training images are mirrored half of the time: right where no caption says left or right."""
    noise: float = 0.05
    """Standard deviation of what is added to each pixel of a training image; pixels are from 0 to 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split == "writers":
            raise Problem("--data.split writers is of no use here: name groups of your own images in a manifest")
        if self.path is None and (self.size != 32 or self.grey or self.classes):
            raise Problem("--data.size, --data.grey and --data.classes are for images of your own, by --data.path")
        if not self.prompts or any("{}" not in prompt for prompt in self.prompts):
            raise Problem("--data.prompts must each hold {}, where the name of a class is put")
        if not 0 <= self.noise <= 1:
            raise Problem(f"--data.noise {self.noise} must be 0 to 1")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the two towers."""

    image_tower: Literal["vit", "cnn"] = "vit"
    """vit: attention between the patches; cnn: convolutions, in stages that halve the image (ConvNeXt)."""
    patch: int = 4
    """Pixels along the side of a patch of the image."""
    width: int
    """Channels of the image's tower; of a cnn's last stage, and half as many in each one before."""
    layers: int
    """Its blocks; of each stage of a cnn."""
    heads: int
    """Its attention heads; a cnn has none."""
    text_width: int
    """Channels of the captions' tower."""
    text_layers: int
    """Its blocks."""
    text_heads: int
    """Its attention heads."""
    context_length: int = 32
    """Tokens of a caption, with its end; a longer one is cut, which is said."""
    vocab_size: int = 512
    """Largest number of different tokens: 256 bytes, the end, and what is merged from them."""
    embedding: int
    """Numbers that an image, or a caption, is compared by."""

    def __post_init__(self) -> None:
        towers = [("text-", self.text_width, self.text_heads)]
        if self.image_tower == "vit":
            towers.append(("", self.width, self.heads))
        for tower, width, heads in towers:
            if width < 1 or heads < 1 or width % heads:
                raise Problem(f"--model.{tower}width {width} must be a multiple of --model.{tower}heads, {heads}")
        if min(self.width, self.layers, self.text_layers, self.patch, self.embedding) < 1:
            raise Problem("--model.width, layers, text-layers, patch and embedding must be at least 1")
        if self.context_length < 2:
            raise Problem(f"--model.context-length {self.context_length} must be at least 2")
        if self.vocab_size < 257:
            raise Problem(f"--model.vocab-size {self.vocab_size} must be at least 257: the bytes and the end")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """How images and captions are told apart."""

    kind: Literal["infonce", "siglip"] = "infonce"
    """infonce: which of the batch's captions is an image's, and which image a caption's (CLIP); siglip: of each pair by
    itself, whether it belongs together (SigLIP)."""
    chunk: int = 0
    """Examples that go through the towers at a time, each twice (GradCache): the batch is then not bounded by the
    memory that the towers take, and the gradients are the same; 0 is the whole batch at once."""

    def __post_init__(self) -> None:
        if self.chunk < 0:
            raise Problem(f"--loss.chunk {self.chunk} must be 0 or a number of examples")
