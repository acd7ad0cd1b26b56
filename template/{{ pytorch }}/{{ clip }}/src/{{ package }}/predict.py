"""Find images by a sentence, or classify them by free words: `load().rank("a red circle", [Path("photos")])`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from .data import load as load_pairs
from .engine.core.errors import Problem
from .engine.images.captions import TOKENIZER, encode
from .engine.images.decoding import Damaged, decode
from .engine.images.examples import Facts, load_facts
from .engine.images.folders import files_in
from .engine.training.trained import load_run
from .model import Clip
from .presets import Config

TOGETHER = 64
"""Images in one forward pass."""


class Matcher:
    """A trained model, its tokenizer, and the facts about its images."""

    def __init__(self, model: Clip, config: Config, facts: Facts, tokenizer: Tokenizer) -> None:
        self.model, self.config, self.facts, self.tokenizer = model, config, facts, tokenizer

    @torch.no_grad()
    def images(self, pixels: np.ndarray) -> Tensor:
        """Vectors of length 1, (n, E), of images (n, channels, size, size) with pixels from 0 to 1.

        Raises:
            Problem: the images have another shape, or hold what is no brightness.
        """
        shape = (self.facts.channels, self.facts.size, self.facts.size)
        if pixels.ndim != 4 or pixels.shape[1:] != shape:
            raise Problem(f"the images have the shape {pixels.shape}: give (n, {', '.join(map(str, shape))})")
        if not (np.isfinite(pixels).all() and pixels.min(initial=0) >= 0 and pixels.max(initial=0) <= 1):
            raise Problem("the images hold values that are missing, or outside 0 to 1")
        parts = torch.from_numpy(pixels.astype(np.float32)).split(TOGETHER)
        device = next(self.model.parameters()).device
        return torch.cat([self.model.image(part.to(device)).cpu() for part in parts])

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Vectors of length 1, (n, E).

        Raises:
            Problem: a text is empty, or longer than the captions that the model was trained with.
        """
        if not all(text.strip() for text in texts):
            raise Problem("a text is empty: say what the image shows")
        tokens, cut = encode(self.tokenizer, texts, self.config.model.context_length)
        if cut:
            raise Problem(f"{texts[cut[0]]!r} has more than {self.config.model.context_length - 1} tokens: shorten it")
        return self.model.text(torch.from_numpy(tokens).to(next(self.model.parameters()).device)).cpu()

    def files(self, paths: Iterable[Path]) -> tuple[list[Path], Tensor]:
        """The image files, and those in folders, with their vectors, (n, E).

        Raises:
            Problem: a path is missing, holds no image, or a file is damaged.
        """
        files = [file for path in paths for file in files_in(path)]
        parts = [files[start : start + TOGETHER] for start in range(0, len(files), TOGETHER)]
        return files, torch.cat([self.images(np.stack([self.pixels(file) for file in part])) for part in parts])

    def pixels(self, file: Path) -> np.ndarray:
        """An image as training saw it, (channels, size, size) from 0 to 1."""
        try:
            return decode(file.read_bytes(), self.facts.size, self.facts.channels).astype(np.float32) / 255
        except OSError as error:
            raise Problem(f"cannot read {file}: {error.strerror or error}") from None
        except Damaged as damage:
            raise Problem(f"{file} is no whole image: {damage}") from None

    def rank(self, text: str, paths: Iterable[Path]) -> list[tuple[Path, float]]:
        """The image files, and those in folders, with their cosine to a text; the nearest first."""
        files, vectors = self.files(paths)
        cosines = (vectors @ self.texts([text])[0]).tolist()
        return sorted(zip(files, cosines, strict=True), key=lambda pair: -pair[1])

    def rank_validation(self, text: str) -> list[tuple[str, float]]:
        """The captions of the validation images, with the images' cosine to a text; the nearest first."""
        config = self.config
        held_out = load_pairs(config.data, config.model.context_length, config.model.vocab_size).splits["validation"]
        vectors = torch.cat([self.images(held_out.batch(some, None)["x"].numpy()) for some in held_out.chunks()])
        cosines = (vectors @ self.texts([text])[0]).tolist()
        return sorted(zip(held_out.captions, cosines, strict=True), key=lambda pair: -pair[1])

    def classify(self, paths: Iterable[Path], words: Sequence[str]) -> list[tuple[Path, np.ndarray]]:
        """The image files, and those in folders, with the probability of each word, (words,), put into the prompts."""
        files, vectors = self.files(paths)
        prompts = self.config.data.prompts
        said = self.texts([prompt.format(word) for word in words for prompt in prompts])
        classes = functional.normalize(said.unflatten(0, (-1, len(prompts))).mean(1), dim=-1)
        scale = self.model.scale().detach().cpu()
        return list(zip(files, (scale * vectors @ classes.T).softmax(1).numpy(), strict=True))


def load(run: str | Path | None = None) -> Matcher:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder, config, model = load_run(run, Config)
    assert isinstance(model, Clip)
    return Matcher(model, config, load_facts(folder), Tokenizer.from_file(str(folder / TOKENIZER)))
