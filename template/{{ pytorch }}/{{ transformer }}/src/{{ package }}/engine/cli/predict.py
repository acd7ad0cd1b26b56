"""The command `predict`."""

from dataclasses import dataclass

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Complete a text with a trained run."""

    prompt: Positional[str]
    """The text to continue; put -- before one that begins with a hyphen."""
    run: str | None = None
    """The run folder; the latest where none is named."""
    tokens: int = 200
    """How many tokens to add at most."""
    temperature: float = 0.8
    """0 takes the likeliest token each time; 1 samples from the model as it is."""
    seed: int = 0
    """Seed of the sampling."""

    def __call__(self) -> None:
        from ...predict import load

        model = load(self.run)
        print(model.complete(self.prompt, tokens=self.tokens, temperature=self.temperature, seed=self.seed))
