"""The trajectories that are trained on: an expert plays generated tasks, and an episode that fails is no example.

A person's own file may stand in their place.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress

from ..agent.keys import key, played_with
from ..agent.progress import Lines
from ..agent.scripted import named
from ..agent.tasks import compared
from ..config import DataConfig
from ..core.config_io import fingerprint
from ..core.errors import Problem
from ..core.files import lines_of, write_atomically
from ..splits.splits import LOCK, Entry, lock, locked
from ..task import AgentTask, Environment, Message, Task, Tools
from . import own_trajectories

DATA = Path("data")
LEARNED = ("train", "validation")
"""The splits that have trajectories; the tasks of the third are only played."""


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """One episode of the expert, which succeeded, or a conversation of a person's file."""

    id: str
    """Of its task."""
    kind: str
    messages: list[Message]


class Data(NamedTuple):
    """What there is to learn from, and how it is called in the lock."""

    digest: str
    splits: dict[str, list[Trajectory]]
    tools: Tools

    @property
    def texts(self) -> list[str]:
        """What a tokenizer may learn from: the training split, and the tools, which stand in each conversation."""
        return [json.dumps([self.tools, one.messages], ensure_ascii=False) for one in self.splits["train"]]


def load(config: DataConfig, agent_task: AgentTask, folder: Path = DATA, file: Path = LOCK) -> Data:
    """The trajectories of a configuration: those of before if there are any, or else made now and locked.

    Raises:
        Problem: the splits or the benchmark share something, or the files are not those that were locked.
    """
    home = folder / name_of(config, agent_task)
    missing = not all((home / f"{split}.jsonl").exists() for split in LEARNED)
    if missing or config.benchmark:
        tasks = compared(config, agent_task)
        if config.file:
            take(Path(config.file), config, tasks, agent_task, home)
        elif missing:
            write(home, {split: list(played(tasks[split], agent_task, config.protocol)) for split in LEARNED})
    return held(home, agent_task.dialogues[config.protocol].tools, file)


def of_run(digest: str, config: DataConfig, agent_task: AgentTask, folder: Path = DATA, file: Path = LOCK) -> Data:
    """The trajectories that a run was trained on, though other code would make others today; else those of today."""
    name, _ = locked(digest, file)
    if name and all((folder / name / f"{split}.jsonl").exists() for split in LEARNED):
        return held(folder / name, agent_task.dialogues[config.protocol].tools, file)
    return load(config, agent_task, folder, file)


def held(home: Path, tools: Tools, file: Path) -> Data:
    """What lies in a folder, compared with the lock."""
    splits = {split: read(home / f"{split}.jsonl") for split in LEARNED}
    entries = [entry(home / f"{split}.jsonl", split, len(splits[split])) for split in LEARNED]
    return Data(lock(home.name, entries, file=file), splits, tools)


def name_of(config: DataConfig, agent_task: AgentTask) -> str:
    """The folder of what a configuration and today's code make. Which benchmark it is kept from changes nothing."""
    asked = {name: value for name, value in asdict(config).items() if name != "benchmark"}
    if config.file is None:
        return f"{config.protocol}-{key([asked, played_with(agent_task)])}"
    if not Path(config.file).is_file():
        raise Problem(f"--data.file {config.file} is not there")
    return f"{config.protocol}-own-{key([config.seed, fingerprint(Path(config.file))])}"


def write(home: Path, splits: Mapping[str, Sequence[Trajectory]]) -> None:
    """Write trajectories into a folder."""
    home.mkdir(parents=True, exist_ok=True)
    for split, found in splits.items():
        lines = (json.dumps(asdict(trajectory), ensure_ascii=False) + "\n" for trajectory in found)
        write_atomically(home / f"{split}.jsonl", "".join(lines))


def take(
    file: Path, config: DataConfig, tasks: Mapping[str, Sequence[Task]], agent_task: AgentTask, home: Path
) -> None:
    """Divide a person's file into the splits that are learned, after a look for what is played."""
    found = own_trajectories.conversations(file, agent_task.dialogues[config.protocol].tools)
    refuse_asked(found, tasks, agent_task)
    divided = own_trajectories.divided(found, config.seed)
    write(home, {split: numbered(divided[split], split, file.stem) for split in LEARNED})


def numbered(found: Sequence[list[Message]], split: str, name: str) -> list[Trajectory]:
    """Conversations of a file, which have neither a name nor a kind."""
    return [Trajectory(id=f"{name}-{split}-{n}", kind="own", messages=one) for n, one in enumerate(found)]


def refuse_asked(own: Sequence[list[Message]], tasks: Mapping[str, Sequence[Task]], agent_task: AgentTask) -> None:
    """Stop where a person's file holds what validation, test or the benchmark asks.

    Raises:
        Problem: it does.
    """
    known = {own_trajectories.asked_in(messages) for messages in own}
    with agent_task.environment() as environment:
        for split in tasks.keys() - {"train"}:
            for task in tasks[split]:
                if " ".join(environment.reset(task).split()) in known:
                    raise Problem(
                        f"--data.file holds task {task.id} of {split}: choose another --data.seed, or leave it out"
                    )


def played(tasks: Sequence[Task], agent_task: AgentTask, protocol: str) -> Iterator[Trajectory]:
    """What the expert does in each task.

    Raises:
        Problem: it fails in one.
    """
    console, lines = Console(stderr=True), Lines()
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    with agent_task.environment() as environment, bar:
        for number, task in enumerate(bar.track(tasks, description="expert")):
            if bar.disable:
                lines.say(f"the expert has played {number} of {len(tasks)} tasks")
            messages = demonstrated(environment, task, agent_task, protocol)
            if not environment.success():
                raise Problem(f"the expert fails in task {task.id}: choose another --data.seed")
            yield Trajectory(id=task.id, kind=task.kind, messages=messages)


def demonstrated(environment: Environment, task: Task, agent_task: AgentTask, protocol: str) -> list[Message]:
    """The messages of the expert's episode, of which the last is its own."""
    dialogue = agent_task.dialogues[protocol]
    messages = [{"role": "system", "content": dialogue.system}, {"role": "user", "content": environment.reset(task)}]
    for number, (thought, call) in enumerate(agent_task.expert(task)):
        move = named(dialogue.write(call, thought), number)
        reply = environment.act(call)
        messages += [move, dialogue.observe(reply.text, call_of(move))]
    return messages[:-1]


def call_of(message: Message) -> str | None:
    """The name of a message's call, where it has one."""
    calls: list[dict[str, Any]] = message.get("tool_calls") or [{}]
    return calls[0].get("id")


def read(file: Path) -> list[Trajectory]:
    """The trajectories of a file that `make` wrote.

    Raises:
        Problem: a line of it is none.
    """
    found = []
    for number, line in enumerate(lines_of(file), 1):
        try:
            found.append(Trajectory(**json.loads(line)))
        except (ValueError, TypeError):
            raise Problem(
                f"{file}, line {number}, is no trajectory: restore the file, or move {file.parent} away to make it anew"
            ) from None
    return found


def entry(file: Path, split: str, rows: int) -> Entry:
    """A file of the data as the lock records it."""
    size = file.stat().st_size
    return Entry(path=file.name, bytes=size, sha256=fingerprint(file), rows={split: rows})
