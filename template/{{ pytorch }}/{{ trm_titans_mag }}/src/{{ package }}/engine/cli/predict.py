"""The command `predict`."""

from dataclasses import dataclass

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Solve a puzzle with a trained run; complete a text, or recall a value, with one that has learned that."""

    asked: Positional[str]
    """A puzzle's cells row by row, with dots for blanks, or a file that holds them; a text; or pairs and a key."""
    run: str | None = None
    """The run folder; the latest where none is named."""
    tokens: int = 200
    """Of a text: how many tokens to add at most."""
    temperature: float = 0.8
    """Of a text: 0 takes the likeliest token each time; 1 samples from the model as it is."""
    seed: int = 0
    """Of a text: the seed of the sampling."""

    def __call__(self) -> None:
        from ...predict import load

        model = load(self.run)
        print(model.answer(self.asked, tokens=self.tokens, temperature=self.temperature, seed=self.seed))
