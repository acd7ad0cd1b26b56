"""Sudoku, by deep supervision: each optimizer step is one supervision step of every board in the batch.

A slot of the batch keeps its board until it halts, or has taken all its steps, and then takes its row of the next
batch; a slot that goes on ignores its row. So a batch mixes boards at different steps, and what the trainer feeds in
remains a function of the step alone.
"""

import math
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config import ModelConfig, Sudoku
from ...engine.core.batch import Batch
from ...engine.splits.leakage import Leakage
from ...engine.statistics.metrics import Metric
from ...engine.task import Context, Fault, Output
from ...model import Latent, Prediction
from ...model.act_head import information, ponder, share_of
from ...task import Recursive, matters, stablemax_cross_entropy
from . import halting, puzzles
from .notation import beside, draw
from .puzzles import Puzzles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXPLORED = 0.1
"""The share of boards that must take a random number of steps from 2 on before they may halt."""
REMEMBERED = 0.9
"""What is kept, each time that a slot comes to a step again, of how often it halted there."""


class Solving(Recursive):
    """The solution of each puzzle, cell by cell, and when to stop looking for it."""

    unit: ClassVar[str] = "boards"

    def __init__(self, source: Sudoku, config: ModelConfig) -> None:
        super().__init__(config)
        self.source = source

    @cached_property
    def puzzles(self) -> puzzles.Sudoku:
        source = self.source
        return puzzles.prepare(source.side, source.count, source.clues, source.seed, self.division)

    def data(self, split: str) -> Puzzles:
        return self.puzzles.splits[split]

    def example_batch(self, count: int) -> Batch:
        board, figure = torch.zeros(count, self.config.length, dtype=torch.long), torch.zeros(count, dtype=torch.long)
        return {"puzzle": board, "solution": board, "backtracks": figure, "rounds": figure}

    def data_hash(self) -> str:
        return self.puzzles.sha256

    def leakage(self) -> Leakage:
        return self.puzzles.leakage

    def initial_state(self, slots: int, device: torch.device) -> dict[str, Tensor]:
        """Every slot is free: what its board and state are is not looked at."""
        c = self.config
        board = torch.zeros(slots, c.length, dtype=torch.long, device=device)
        state = torch.zeros(slots, c.length, c.width, device=device)
        counts = torch.zeros(slots, c.supervision, device=device)
        return {
            "puzzle": board,
            "solution": board,
            "y": state,
            "z": state,
            "free": torch.ones(slots, dtype=torch.bool, device=device),
            "steps": torch.zeros(slots, dtype=torch.long, device=device),
            "fewest": torch.ones(slots, dtype=torch.long, device=device),
            "survival": torch.ones(slots, device=device),
            "came": counts,
            "halted": counts,
        }

    def admit(self, batch: Batch, state: dict[str, Tensor], context: Context) -> dict[str, Tensor]:
        """The slots, with its row of the batch in each that is free."""
        free, device = state["free"], state["free"].device
        explores = torch.rand(len(free), generator=context.noise, device=device) < EXPLORED
        most = max(self.config.supervision, 2)
        fewest = torch.randint(2, most + 1, (len(free),), generator=context.noise, device=device)
        return state | {
            "puzzle": torch.where(free[:, None], batch["puzzle"], state["puzzle"]),
            "solution": torch.where(free[:, None], batch["solution"], state["solution"]),
            "steps": torch.where(free, 0, state["steps"]),
            "fewest": torch.where(free, torch.where(explores, fewest, 1), state["fewest"]),
            "survival": torch.where(free, 1.0, state["survival"]),
        }

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        """Cross-entropy of a board's cells, their mean; half of that of q, and the two terms of halting."""
        slots = self.admit(batch, state, context)
        found: Prediction = model(slots["puzzle"], Latent(slots["y"], slots["z"]), slots["free"])
        nats = stablemax_cross_entropy(found.logits, slots["solution"]).mean(1)
        right = found.logits.argmax(-1) == slots["solution"]
        solved, q = right.all(1), found.q.to(nats.dtype)
        deciding = functional.binary_cross_entropy_with_logits(q, solved.to(q.dtype), reduction="none")
        marginal = self.marginal(slots)
        c, survival = self.config, slots["survival"]
        pondering = ponder(q, survival, marginal, c.prior)
        informing = information(q, survival, marginal)
        loss = nats + 0.5 * deciding + c.ponder * pondering - c.information * informing
        logs = {"cells": right.float().mean(1).sum(), "solved": solved.sum(), "ponder": pondering.sum()}
        return Output(loss.sum(), len(loss), self.after(slots, found), logs)

    def marginal(self, slots: dict[str, Tensor]) -> Tensor:
        """m_n at each slot's step: of what came to that step lately, the share that halted; at first the head's bias.

        The slots of a micro-batch count together.
        """
        return share_of(slots["halted"].sum(0), slots["came"].sum(0), self.config.halt_bias)[slots["steps"]]

    def after(self, slots: dict[str, Tensor], found: Prediction) -> dict[str, Tensor]:
        """The slots after the step, detached."""
        q, survival, steps = found.q.detach().float(), slots["survival"], slots["steps"]
        here = functional.one_hot(steps, self.config.supervision).to(survival.dtype)
        kept = 1 - (1 - REMEMBERED) * here
        taken = steps + 1
        stops = ((q > 0) & (taken >= slots["fewest"])) | (taken >= self.config.supervision)
        return slots | {
            "y": found.latent.y.detach().float(),
            "z": found.latent.z.detach().float(),
            "free": stops,
            "steps": taken,
            "survival": survival * (-q).sigmoid(),
            "came": kept * slots["came"] + here * survival[:, None],
            "halted": kept * slots["halted"] + here * (survival * q.sigmoid())[:, None],
        }

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """Of each board, (n,) and after each supervision step, (n, N).

        `cells` is the share of its cells that are right, `solved` whether all are, `q` the logit of halting, `nats` the
        cross-entropy of a cell at the last step, `backtracks` and `rounds` how hard the puzzle is.
        """
        parts = [self.record(model, batch) for batch in loader]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def record(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        steps = self.steps(model, batch["puzzle"])
        right = torch.stack([found.logits.argmax(-1) == batch["solution"] for found in steps], dim=1)
        nats = stablemax_cross_entropy(steps[-1].logits, batch["solution"]).mean(1)
        found = {
            "cells": right.float().mean(2),
            "solved": right.all(2),
            "q": torch.stack([found.q.float() for found in steps], dim=1),
            "nats": nats,
            "backtracks": batch["backtracks"],
            "rounds": batch["rounds"],
        }
        return {name: value.cpu() for name, value in found.items()}

    def steps(self, model: nn.Module, puzzle: Tensor) -> list[Prediction]:
        """What the model says after each supervision step."""
        steps: list[Prediction] = []
        for _ in range(self.config.supervision):
            steps.append(model(puzzle, steps[-1].latent if steps else None))
        return steps

    def faults(self, predictions: dict[str, Tensor]) -> list[Fault]:
        return halting.collapsed(predictions["solved"], predictions["q"])

    def baselines(self, split: str) -> dict[str, float]:
        """The share of boards that simple rules solve, where what they leave open is guessed."""
        return puzzles.baselines(self.data(split))["solved"]

    @property
    def hardness(self) -> str:
        """What says how hard a board is: of 4 x 4, none needs a guess."""
        return "rounds" if self.source.side == 4 else "backtracks"

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        """After all steps the boards and cells that are right, and what halting before is worth."""
        solved = predictions["solved"]
        return {
            "solved": halting.better(solved[:, -1].double(), share=True),
            "cells": halting.better(predictions["cells"][:, -1].double(), share=True),
            "cross_entropy": Metric(predictions["nats"].mean().item(), predictions["nats"]),
            **halting.metrics(solved, predictions["q"], predictions[self.hardness]),
        }

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        """What more steps bring, where halting comes to lie, and which boards get more steps."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        steps = halting.steps_taken(predictions["q"])
        shares = predictions["solved"].double().mean(0).numpy()
        left.plot(range(1, len(shares) + 1), shares, marker="o", label="all boards take as many")
        found = halting.at_steps(predictions["solved"], steps).mean().item()
        left.plot(steps.double().mean().item(), found, "*", markersize=14, label="each board halts by itself")
        left.set(xlabel="supervision steps, on average", ylabel="boards solved", title="What more steps bring")
        left.legend()
        hardness = predictions[self.hardness]
        levels = hardness.unique()
        means = [steps[hardness == level].double().mean().item() for level in levels]
        right.plot(levels.numpy(), means, marker="o")
        right.locator_params(axis="x", integer=True)
        right.set(xlabel=self.hardness, ylabel="steps until it halts", title="Do harder boards get more?")
        for axes in (left, right):
            axes.grid(alpha=0.3)
        return figure

    @torch.no_grad()
    def samples(self, model: nn.Module, context: Context) -> str:
        """Three validation puzzles: as they were given, what the model says, and the solution."""
        boards = self.data("validation")
        device = next(model.parameters()).device
        shown = range(min(3, len(boards)))
        texts = []
        for index in shown:
            puzzle = torch.from_numpy(boards.puzzle[index : index + 1].astype("int64")).to(device)
            steps = self.steps(model, puzzle)
            taken = int(halting.steps_taken(torch.stack([found.q for found in steps], dim=1)))
            said = steps[taken - 1].logits.argmax(-1)[0].tolist()
            titles = ["puzzle", f"at step {taken}", "solution"]
            texts.append(beside([draw(b) for b in (boards.puzzle[index], said, boards.solution[index])], titles))
        return "\n\n".join(texts)

    def render_example(self, index: int) -> str:
        """The puzzle and its solution."""
        boards = self.data("validation")
        return beside([draw(boards.puzzle[index]), draw(boards.solution[index])], ["puzzle", "solution"])

    def expected_loss(self) -> float:
        """Of a uniform guess: ln V; and of a head as it begins: half of -ln(1 - lambda), and its divergence."""
        c = self.config
        q = torch.tensor([c.halt_bias], dtype=torch.float64)
        none = torch.zeros_like(q)
        pondering = ponder(q, torch.ones_like(q), share_of(none, none, c.halt_bias), c.prior)
        return float(math.log(c.vocab_size) + 0.5 * functional.softplus(q) + c.ponder * pondering)

    def flops(self) -> float:
        """Of one supervision step of a board."""
        return self.config.length * self.position_flops()

    def checks(self, model: nn.Module, batch: Batch) -> dict[str, str]:
        return matters(model, batch["puzzle"])
