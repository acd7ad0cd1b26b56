"""What a run is made of, and the presets to start from.

A preset is a function that returns a whole `Config`. Every field can be overridden on the command line
(`train smoke --model.width 96`), and the result is saved with the run. What is learned is one of three dataclasses,
which hold the fields of its data: a preset chooses which.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import AvoidSubcommands, Positional, Suppress

from .errors import Problem
from .settings import TrainConfig

if TYPE_CHECKING:
    from .language import LanguageModeling
    from .recalling import Recalling
    from .solving import Solving


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of the model, and how it halts."""

    vocabulary: int
    """Entries of the embedding and of the output."""
    length: int
    """Positions that the model sees at once, at most."""
    width: int
    """Features of each position: D."""
    layers: int = 2
    """Blocks of the backbone, which every cycle calls again."""
    heads: int
    """Heads of the attention and of the memory."""
    hidden: int
    """Features inside the feed-forward layer."""
    window: int
    """How many positions the attention reaches: itself and those before it; both sides where nothing is causal."""
    persistent: int = 16
    """Learned vectors in front of the sequence, which every position sees."""
    memory: bool = True
    """The long-term memory and its gate; off leaves the attention alone."""
    expansion: int = 1
    """Features inside the memory's perceptron, as a multiple of a head's."""
    chunk: int = 32
    """Positions that the memory writes at once."""
    conv: int = 4
    """Positions that the convolution before the memory spans."""
    causal: bool = False
    """Whether a position sees those before it alone."""
    cycles: int = 3
    """TRM's T: how often the answer is refined in a supervision step; all but the last without gradient."""
    inner: int = 6
    """TRM's n: latent steps before each refinement; with 0, a refinement is told the question itself."""
    supervision: int = 1
    """Supervision steps that an example is given at most."""
    halt_bias: float = -5.0
    """First logit of halting. At 0 and above, the model halts before it has seen what going on would bring."""
    ponder: float = 0.01
    """Weight of the divergence between how often the batch halts at each step and the prior."""
    prior: float = 0.2
    """The prior's probability of halting at each step: its mean number of steps is one over it."""
    information: float = 0.01
    """Weight of what the halting step tells of the example."""
    norm_eps: float = 1e-5
    """Added to the mean square in RMSNorm."""
    rope_base: float = 10_000.0
    """Base of the rotary frequencies."""
    activation_checkpointing: bool = False
    """Compute the backbone again in the backward pass: less memory, about a third more time."""

    def __post_init__(self) -> None:
        counts = ("vocabulary", "length", "width", "layers", "heads", "hidden", "window", "expansion", "chunk", "conv")
        for name in (*counts, "cycles", "supervision"):
            if getattr(self, name) < 1:
                raise Problem(f"--model.{name} {getattr(self, name)} must be at least 1")
        for name in ("persistent", "inner", "ponder", "information"):
            if getattr(self, name) < 0:
                raise Problem(f"--model.{name} {getattr(self, name)} must be at least 0")
        if not 0 < self.prior < 1:
            raise Problem(f"--model.prior {self.prior} must be above 0 and below 1")
        if self.width % (2 * self.heads):
            raise Problem(f"--model.width {self.width} must be a multiple of twice --model.heads {self.heads}")


def require(option: str, value: object, holds: bool, what: str) -> None:
    """Refuse a field of the model that does not go with what is learned."""
    if not holds:
        raise Problem(f"--model.{option} {value} must be {what}")


@dataclass(frozen=True, kw_only=True)
class Sudoku:
    """Boards of side x side cells, and what they are made of."""

    kind: Suppress[Literal["sudoku"]] = "sudoku"
    side: int
    """Cells of a row: 4 or 9."""
    count: int
    """Puzzles in all: about 80 % train, 10 % validation, 10 % test."""
    clues: tuple[int, ...]
    """Cells that are given: as many puzzles for each of these numbers, with more clues where they need them."""
    seed: int = 0
    """Decides which puzzles are made."""

    def task(self, model: ModelConfig) -> "Solving":
        from .solving import Solving

        require("vocabulary", model.vocabulary, model.vocabulary == self.side + 1, f"{self.side + 1}: digits and blank")
        require("length", model.length, model.length == self.side**2, f"{self.side**2}, the cells of a board")
        require("causal", model.causal, not model.causal, "off: every cell sees the whole board")
        return Solving(self, model)


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Pairs of a key and a value, and keys that are asked for later (Arora et al. 2023, arXiv:2312.04927)."""

    kind: Suppress[Literal["recall"]] = "recall"
    pairs: int
    """Pairs in a sequence."""
    gap: int
    """Tokens between the pairs and the first question."""
    count: int
    """Sequences in all: 80 % train, 10 % validation, 10 % test."""
    seed: int = 0
    """Decides which sequences are made."""

    def task(self, model: ModelConfig) -> "Recalling":
        from .recalling import Recalling

        one_step(model)
        return Recalling(self, model)


@dataclass(frozen=True, kw_only=True)
class Language:
    """Text, as tokens of bytes that occur together."""

    kind: Suppress[Literal["language"]] = "language"
    path: str | None = None
    """A folder or file of .txt, .jsonl or .parquet; without it, the source code of Python's standard library."""

    def task(self, model: ModelConfig) -> "LanguageModeling":
        from .language import LanguageModeling

        one_step(model)
        require("vocabulary", model.vocabulary, model.vocabulary >= 257, "at least 257: 256 bytes and the end of text")
        return LanguageModeling(self, model)


def one_step(model: ModelConfig) -> None:
    """What is learned position by position is causal, and is not halted: one decision for all positions would leak."""
    require("causal", model.causal, model.causal, "on: each position sees those before it alone")
    require("supervision", model.supervision, model.supervision == 1, "1")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run."""

    preset: str
    seed: int = 0
    """Seed of the initial weights, the order of the data and the noise."""
    data: AvoidSubcommands[Sudoku | Recall | Language]
    model: ModelConfig
    train: TrainConfig

    def task(self) -> "Solving | Recalling | LanguageModeling":
        return self.data.task(self.model)


def smoke() -> Config:
    """Seconds: shows that everything works, learns little."""
    return Config(
        preset="smoke",
        data=Sudoku(side=4, count=400, clues=(8, 10)),
        model=ModelConfig(
            vocabulary=5,
            length=16,
            width=32,
            layers=1,
            heads=2,
            hidden=64,
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
            warmup=5,
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
            vocabulary=5,
            length=16,
            width=64,
            layers=1,
            heads=4,
            hidden=128,
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
            warmup=100,
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
            vocabulary=10,
            length=81,
            width=1024,
            heads=16,
            hidden=1600,
            window=81,
            supervision=16,
            activation_checkpointing=True,
        ),
        train=TrainConfig(
            steps=20_000,
            batch=128,
            micro_batch=128,
            learning_rate=1e-4,
            warmup=2000,
            final_learning_rate=1.0,
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
            vocabulary=32,
            length=32,
            width=64,
            layers=2,
            heads=2,
            hidden=128,
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
            warmup=50,
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
            vocabulary=4096,
            length=256,
            width=192,
            heads=6,
            hidden=200,
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
            warmup=50,
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
        from .predict import load

        if self.temperature < 0 or self.tokens < 0:
            raise Problem("--temperature and --tokens must be at least 0")
        model = load(self.run)
        print(model.answer(self.asked, tokens=self.tokens, temperature=self.temperature, seed=self.seed))
