"""Use a trained run: `load().answer(...)` solves a puzzle, completes a text or recalls a value."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer

from .config import Language, Recall
from .engine.core.errors import Problem
from .engine.text.generate import complete
from .engine.training.trained import load_run
from .model import FullModel
from .presets import Config
from .tasks.sudoku.notation import draw, keeps_the_rules, read


class Solution(NamedTuple):
    """What the model says of a puzzle."""

    board: np.ndarray
    """(cells,), the digits."""
    steps: int
    """How many it took before it halted."""
    sure: float
    """The probability that it gives to every cell's being right."""

    def __str__(self) -> str:
        kept = "keeps the rules" if keeps_the_rules(self.board) else "breaks the rules"
        return f"{draw(self.board)}\n\nsteps: {self.steps}, sure by {self.sure:.3f}; the board {kept}"


class Solver:
    """A trained model of Sudoku."""

    def __init__(self, model: FullModel) -> None:
        self.model = model
        self.side = round(model.config.length**0.5)

    @torch.no_grad()
    def solve(self, puzzle: str) -> Solution:
        """The board that the model halts at.

        Raises:
            Problem: the text is no puzzle of this size.
        """
        clues = read(puzzle, self.side)
        cells = torch.from_numpy(clues)[None].to(next(self.model.parameters()).device)
        found, steps = self.model(cells), 1
        while found.q.item() <= 0 and steps < self.model.config.supervision:
            found, steps = self.model(cells, found.latent), steps + 1
        return Solution(found.logits.argmax(-1)[0].cpu().numpy(), steps, found.q.sigmoid().item())

    def answer(self, asked: str, *, tokens: int = 0, temperature: float = 0.0, seed: int = 0) -> str:
        """The board as text; `asked` is a puzzle, or a file that holds one."""
        with suppress(OSError):  # a long text is no name of a file
            if Path(asked).suffix and Path(asked).is_file():
                asked = Path(asked).read_text(encoding="utf-8", errors="replace")
        return str(self.solve(asked))


class LanguageModel:
    """A trained language model and its tokenizer."""

    def __init__(self, model: FullModel, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer

    def answer(self, asked: str, *, tokens: int = 200, temperature: float = 0.8, seed: int = 0) -> str:
        """The prompt and what the model adds to it: at most `tokens` tokens, fewer where it ends the text.

        The same seed gives the same text; temperature 0 takes the likeliest token each time.
        """
        context = self.model.config.length
        return complete(
            self.model, self.tokenizer, asked, context=context, tokens=tokens, temperature=temperature, seed=seed
        )


class Recaller:
    """A trained model of recall."""

    def __init__(self, model: FullModel) -> None:
        self.model = model

    @torch.no_grad()
    def answer(self, asked: str, *, tokens: int = 1, temperature: float = 0.0, seed: int = 0) -> str:
        """The token that follows the ones in `asked`, which are numbers: pairs of key and value, and then a key.

        Raises:
            Problem: they are not tokens of this model, or too many.
        """
        config = self.model.config
        try:
            ids = [int(word) for word in asked.split()]
        except ValueError:
            ids = []
        if not 0 < len(ids) <= config.length or not all(0 <= token < config.vocab_size for token in ids):
            raise Problem(f"give 1 to {config.length} numbers below {config.vocab_size}: keys and values, then a key")
        device = next(self.model.parameters()).device
        return str(self.model(torch.tensor([ids], device=device)).logits[0, -1].argmax().item())


def load(run: str | Path | None = None) -> Solver | LanguageModel | Recaller:
    """The model of a finished run; of the latest where none is named.

    Raises:
        Problem: there is no such run, or it has not finished.
    """
    folder, config, model = load_run(run, Config)
    assert isinstance(model, FullModel)
    match config.data:
        case Language():
            return LanguageModel(model, Tokenizer.from_file(str(folder / "tokenizer.json")))
        case Recall():
            return Recaller(model)
        case _:
            return Solver(model)
