"""Complete text with a trained run: `load().complete("def read_lines(")`."""

from pathlib import Path

from tokenizers import Tokenizer

from .engine.text import generate
from .engine.training.trained import load_run
from .model import Transformer
from .presets import Config


class LanguageModel:
    """A trained model and its tokenizer."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer

    def complete(self, prompt: str, *, tokens: int = 200, temperature: float = 0.8, seed: int = 0) -> str:
        """The prompt and what the model adds to it: at most `tokens` tokens, fewer where it ends the text.

        The same seed gives the same text; temperature 0 takes the likeliest token each time.

        Raises:
            Problem: the temperature or the number of tokens is below zero or no number, or the prompt is not text.
        """
        context = self.model.config.context_length
        return generate.complete(
            self.model, self.tokenizer, prompt, context=context, tokens=tokens, temperature=temperature, seed=seed
        )


def load(run: str | Path | None = None) -> LanguageModel:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder, _, model = load_run(run, Config)
    assert isinstance(model, Transformer)
    return LanguageModel(model, Tokenizer.from_file(str(folder / "tokenizer.json")))
