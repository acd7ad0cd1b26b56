"""The command `predict`."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Find images by a sentence, or classify them by words of your own, with a trained run."""

    text: Positional[str] = ""
    """What to look for; in the run's validation images where no others are named."""
    images: tuple[Path, ...] = ()
    """Image files, and folders of them."""
    words: tuple[str, ...] = ()
    """Instead of a text: names to choose between for each image."""
    run: str | None = None
    """The run folder; the latest where none is named."""
    top: int = 5
    """How many images are printed, or names of each image."""

    def __call__(self) -> None:
        from ...predict import load

        if self.top < 1:
            raise Problem(f"--top {self.top} must be at least 1")
        if bool(self.text) == bool(self.words):
            raise Problem('say what to look for, such as predict "a large red circle", or name --images and --words')
        if self.words and not self.images:
            raise Problem("--words classify images: name some with --images")
        matcher = load(self.run)
        if self.words:
            for file, probabilities in matcher.classify(self.images, self.words):
                order = probabilities.argsort()[::-1][: self.top]
                print(f"{file}  " + ", ".join(f"{self.words[row]} {probabilities[row]:.3f}" for row in order))
            return
        found = matcher.rank(self.text, self.images) if self.images else matcher.rank_validation(self.text)
        for what, cosine in found[: self.top]:
            print(f"{cosine:+.3f}  {what}")
