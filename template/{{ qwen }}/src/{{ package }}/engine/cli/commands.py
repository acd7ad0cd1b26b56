"""What each command does, with its options. Heavy imports stand inside, so that `--help` needs none of them."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from ...config import Config
from ...presets import PRESETS
from ..core.errors import Problem

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation

Preset = Annotated[Positional[str], arg(metavar="{" + ",".join(PRESETS) + "}")]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Fine-tune the model, play the validation tasks before and after, and report."""

    preset: Preset = "default"
    """The configuration to start from; the options below override it."""
    resume: bool = False
    """Go on with the latest run, bit for bit, from its last checkpoint."""
    run: str | None = None
    """With --resume: go on with this run folder instead."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ...sft import train
        from ..core.runs import find
        from ..finetuning.session import opened

        show_memory(self.config)
        with opened(self.config, find(self.run) if self.resume else None) as run:
            train(self.config, run)
            print("playing the validation tasks before and after the training", file=sys.stderr)
            report(run)


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Play the validation tasks with a finished run and with the base that it came from."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    final: bool = False
    """Play the sealed test tasks instead, once, and record it in ledger.jsonl."""
    again: bool = False
    """With --final: open them for other weights too; that is counted, and every later report says so."""
    benchmark: bool = False
    """Play the tasks of AgentBench's file that the run was started with (--data.benchmark) instead."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """What generates: vllm plays the merged model in 16 bits, and has to be installed (the extra vllm)."""

    def __call__(self) -> None:
        from ..core.runs import find
        from ..evaluation.evaluation import Evaluation
        from ..report.results import evaluate_finally
        from ..statistics.metrics import Result, show

        if self.again and not self.final:
            raise Problem("--again goes with --final: the validation tasks may be played as often as you like")
        if self.final and (self.benchmark or self.engine != "transformers"):
            raise Problem("--final stands alone: it plays the test tasks with transformers")
        if not self.final:
            show_evaluation(Evaluation(find(self.run), "benchmark" if self.benchmark else "validation", self.engine))
            return
        entry, new = evaluate_finally(find(self.run), self.again)
        print(f"{entry['run']} on the test split, {'now' if new else 'as it was'} recorded at {entry['time']}\n")
        show({name: Result.of(values) for name, values in entry["results"].items()})


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write results.json, plots and the model card of a finished run."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print results.json."""
    with_tests: bool = False
    """Run the project's tests too, and fill in what depends on them."""

    def __call__(self) -> None:
        from ..core.runs import find
        from ..evaluation.evaluation import Evaluation
        from ..report.results import write

        if not self.json:
            report(find(self.run), self.with_tests)
        else:
            print(json.dumps(write(Evaluation(find(self.run)), self.with_tests), indent=2))


@dataclass(frozen=True, kw_only=True)
class Play:
    """Play validation tasks with somebody who was not trained here, and keep the transcripts."""

    preset: Preset = "default"
    """The configuration whose tasks are played."""
    player: Literal["base", "expert", "random", "endpoint"] = "base"
    """The base model, the expert that the training imitates, chance, or a server that speaks OpenAI's protocol."""
    endpoint: str = "http://localhost:8000/v1"
    """The server's URL; OPENAI_API_KEY holds its key, where it wants one."""
    model: str = ""
    """What the model is called there."""
    benchmark: bool = False
    """Play the tasks of AgentBench's file (--data.benchmark) instead of the validation tasks."""
    into: Path = Path("episodes")
    """The folder for the transcripts."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..agent.play import play
        from ..statistics.metrics import show

        if self.player == "endpoint" and not self.model:
            raise Problem("--player endpoint needs --model NAME: what the server calls its model")
        results, folder = play(self)
        show(results)
        print(f"\ntranscripts: {folder}")


@dataclass(frozen=True, kw_only=True)
class Data:
    """Make the trajectories that are trained on, and show their lengths and what of them is supervised."""

    preset: Preset = "default"
    """The configuration whose data are made."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ...sft import prepare

        prepared = prepare(self.config)
        print(f"data: {prepared.data.digest}")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Estimate the GPU memory of a training, without a GPU and without weights."""

    preset: Preset = "default"
    """The configuration to estimate; the options below override it."""
    gpu: Literal["T4", "L4", "A100-40", "A100-80", "H100", "chosen"] = "chosen"
    """The GPU to compare with; the one that was chosen when this project was made."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        show_memory(self.config, None if self.gpu == "chosen" else self.gpu)


@dataclass(frozen=True, kw_only=True)
class Check:
    """Confirm before a long training that the data can be learned from, and that tasks are won, but not by chance."""

    preset: Preset = "smoke"
    """The configuration to check."""
    config: Annotated[Config, arg(name="")]

    def __call__(self) -> None:
        from ..finetuning.sanity import run

        failed = 0
        for finding in run(self.config):
            print(f"{'ok' if finding.passed else 'FAILED':8}{finding.name:28}{finding.what}", flush=True)
            failed += not finding.passed
        if failed:
            raise Problem(f"{failed} checks failed")


def report(run: Path, with_tests: bool = False) -> None:
    """Write a run's report, and print what it says."""
    from ..evaluation.evaluation import Evaluation
    from ..report.results import write

    evaluation = Evaluation(run)
    write(evaluation, with_tests)
    show_evaluation(evaluation)
    print(f"\nrun: {run}\nreport: {run / 'report'}")


def show_memory(config: Config, gpu: str | None = None) -> None:
    """Print what a training takes of a GPU; nothing for a tiny model."""
    from ...chosen import GPU
    from ...config import FAMILIES
    from ..memory.fit import Fitting, Setup, lines
    from ..models.architectures import architecture

    if config.model.base in FAMILIES:
        print(f"{config.model.base} is made on the spot and fits anywhere", file=sys.stderr)
        return
    setup = Setup(config.model, config.train, gpu or GPU)
    for line in lines(Fitting(architecture(config.model.base)), setup):
        print(line, file=sys.stderr)


def show_evaluation(evaluation: "Evaluation") -> None:
    """Print success beside its floors, what the training changed, and where the failures can be read."""
    from ..statistics.metrics import show

    show(evaluation.results)
    print()
    for name, found in evaluation.comparisons.items():
        if name != "success" and not found.differing:
            continue
        judged = "" if found.p is None else f", p = {found.p:.4f}"
        print(f"{name}: {found.a:.3f} before, {found.b:.3f} after ({found.difference:+.3f}{judged}): {found.verdict}")
    print(f"\n{evaluation.examples.partition(chr(10))[0]}; to read: {evaluation.failures}")
