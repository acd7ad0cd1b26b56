"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --model.width 96`), and the result is saved with the run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import AvoidSubcommands

from .config import Language, ModelConfig, Recall, Sudoku, require
from .engine.training.config import TrainConfig

if TYPE_CHECKING:
    from .tasks.language import LanguageModeling
    from .tasks.recall.task import Recalling
    from .tasks.sudoku.task import Solving


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    data: AvoidSubcommands[Sudoku | Recall | Language]
    model: ModelConfig
    train: TrainConfig

    def __post_init__(self) -> None:
        data, model = self.data, self.model
        if isinstance(data, Sudoku):
            blank_and_digits = f"{data.side + 1}: digits and blank"
            require("vocab_size", model.vocab_size, model.vocab_size == data.side + 1, blank_and_digits)
            require("length", model.length, model.length == data.side**2, f"{data.side**2}, the cells of a board")
            require("causal", model.causal, not model.causal, "off: every cell sees the whole board")
            return
        # One decision to halt for all positions would leak: what is learned position by position is not halted.
        require("causal", model.causal, model.causal, "on: each position sees those before it alone")
        require("supervision", model.supervision, model.supervision == 1, "1")
        if isinstance(data, Language):
            least = "at least 257: 256 bytes and the end of text"
            require("vocab_size", model.vocab_size, model.vocab_size >= 257, least)

    def task(self) -> "Solving | Recalling | LanguageModeling":
        if isinstance(self.data, Sudoku):
            from .tasks.sudoku.task import Solving

            return Solving(self.data, self.model)
        if isinstance(self.data, Recall):
            from .tasks.recall.task import Recalling

            return Recalling(self.data, self.model)
        from .tasks.language import LanguageModeling

        return LanguageModeling(self.data, self.model)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        data=Sudoku(side=4, count=400, clues=(8, 10)),
        model=ModelConfig(
            vocab_size=5,
            length=16,
            width=32,
            layers=1,
            heads=2,
            d_ff=64,
            window=16,
            persistent=2,
            chunk=18,
            conv=1,
            cycles=2,
            inner=1,
            supervision=4,
        ),
        train=TrainConfig(
            steps=40,
            batch=16,
            micro_batch=16,
            learning_rate=1e-2,
            warmup_steps=5,
            ema=0.9,
            validate_every=20,
            validation_batches=2,
            save_every=20,
            precision="fp32",
        ),
    )


def default() -> Config:
    """About four minutes on two CPU cores: 4 x 4 Sudoku. A convolution along its cells would mean nothing."""
    return Config(
        preset="default",
        data=Sudoku(side=4, count=2200, clues=(4, 5, 6, 7, 8)),
        model=ModelConfig(
            vocab_size=5,
            length=16,
            width=64,
            layers=1,
            heads=4,
            d_ff=128,
            window=16,
            persistent=2,
            chunk=18,
            conv=1,
            cycles=2,
            inner=2,
            supervision=6,
        ),
        train=TrainConfig(
            steps=2400,
            batch=64,
            micro_batch=64,
            learning_rate=2e-3,
            warmup_steps=100,
            ema=0.99,
            validate_every=300,
            validation_batches=4,
            save_every=300,
            precision="fp32",
        ),
    )


def full() -> Config:
    """9 x 9 Sudoku as in TRM's paper, for a GPU with 6 GB."""
    return Config(
        preset="full",
        data=Sudoku(side=9, count=20_000, clues=(17, 26, 30, 34)),
        model=ModelConfig(
            vocab_size=10,
            length=81,
            width=1024,
            heads=16,
            d_ff=1600,
            window=81,
            supervision=16,
            activation_checkpointing=True,
        ),
        train=TrainConfig(
            steps=20_000,
            batch=128,
            micro_batch=128,
            learning_rate=1e-4,
            warmup_steps=2000,
            min_lr_ratio=1.0,
            weight_decay=1.0,
            ema=0.999,
            validate_every=1000,
            validation_batches=8,
            save_every=1000,
        ),
    )


def recall() -> Config:
    """Values recalled from where the attention cannot reach: two layers of a window of 4, called once."""
    return Config(
        preset="recall",
        data=Recall(pairs=4, gap=8, count=20_000),
        model=ModelConfig(
            vocab_size=32,
            length=32,
            width=64,
            layers=2,
            heads=2,
            d_ff=128,
            window=4,
            persistent=2,
            chunk=8,
            causal=True,
            cycles=1,
            inner=0,
            ponder=0.0,
            information=0.0,
        ),
        train=TrainConfig(
            steps=3000,
            batch=32,
            micro_batch=32,
            learning_rate=3e-3,
            warmup_steps=50,
            validate_every=300,
            validation_batches=8,
            save_every=300,
            precision="fp32",
        ),
    )


def language() -> Config:
    """The text of the transformer's preset `default`, with as many parameters and steps."""
    return Config(
        preset="language",
        data=Language(),
        model=ModelConfig(
            vocab_size=4096,
            length=256,
            width=192,
            heads=6,
            d_ff=200,
            window=64,
            causal=True,
            cycles=1,
            inner=0,
            ponder=0.0,
            information=0.0,
        ),
        train=TrainConfig(
            steps=550,
            batch=8,
            micro_batch=8,
            learning_rate=4e-3,
            warmup_steps=50,
            validate_every=100,
            validation_batches=8,
            save_every=100,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {
    "smoke": smoke,
    "default": default,
    "full": full,
    "recall": recall,
    "language": language,
}
