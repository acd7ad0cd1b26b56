"""DB Bench tasks: AgentBench's own, and new ones of the same kinds.

A generated task is a function of seed, split and number. The splits share no table, no row and no wording, since each
has its own part of `engine/dbbench/themes.toml`; what two sets of tasks share shows in their `fingerprints`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from .engine.core.errors import Problem
from .engine.core.files import lines_of
from .engine.dbbench.environment import ROUNDS, Environment, Pool, backend
from .engine.dbbench.questions import KINDS, ask
from .engine.dbbench.scoring import digest
from .engine.dbbench.task import CHANGES, Task
from .engine.dbbench.themes import sheet
from .engine.mysql.tables import Table
from .engine.splits.splits import SPLITS
from .engine.task import AgentTask
from .expert import expert
from .protocol import PROTOCOLS, TOOLS


def generate(count: int, seed: int, split: str) -> list[Task]:
    """New tasks, as many of each kind, up to one."""
    return [generated(number, seed, split) for number in range(count)]


def generated(number: int, seed: int, split: str) -> Task:
    """The task of a number."""
    rng = np.random.default_rng((seed, SPLITS.index(split), number))
    kind = KINDS[number % len(KINDS)]
    drawn = sheet(split, rng)
    question = ask(kind, drawn, split, rng)
    return Task(
        id=f"{split}-{seed}-{number}",
        kind=kind,
        statement=stated(question.text, described(drawn.table)),
        tables=(drawn.table,),
        sql=question.sql,
        answers=question.answers,
        digest=digest([question.table.rows]) if kind in CHANGES else "",
    )


def described(table: Table) -> str:
    """The sentence that AgentBench adds to a question."""
    return f"The name of this table is {table.name}, and the headers of this table are {','.join(table.columns)}."


def stated(question: str, description: str) -> str:
    """The first message of the user, as on AgentBench's main branch."""
    return f"Additional table information about the question: {description}\nQuestion: {question}\n"


def official(path: Path | str) -> list[Task]:
    """The tasks of one of AgentBench's files, unchanged: JSON Lines.

    Raises:
        Problem: the file cannot be read, or a line of it is no task.
    """
    try:
        lines = lines_of(Path(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {error}: name one of AgentBench's .jsonl files") from None
    return [parsed(line, Path(path), number) for number, line in enumerate(lines, 1) if line.strip()]


def parsed(line: str, path: Path, number: int) -> Task:
    """The task of one line."""
    try:
        entry = json.loads(line)
        kind, label = str(entry["type"][0]), entry["label"]
        listed = entry["table"] if isinstance(entry["table"], list) else [entry["table"]]
        tables = tuple(made(table["table_name"], table["table_info"]) for table in listed)
        return Task(
            id=f"{path.stem}-{number - 1}",
            kind=kind,
            statement=stated(entry["description"], entry.get("add_description", "")),
            tables=tables,
            sql=str(label[0]) if kind in CHANGES else "",
            answers=() if kind in CHANGES else tuple(map(str, label)),
            digest=entry["answer_md5"].strip("[](),'") if kind in CHANGES else "",
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Problem(f"{path}, line {number}: no task of AgentBench ({error!r}): restore the file") from None


def made(name: str, information: dict[str, Any]) -> Table:
    """A table as AgentBench describes it; every value is a text. A column without a name gets one: MySQL wants that."""
    columns = tuple(
        str(column["name"]).rstrip() or f"column {place}" for place, column in enumerate(information["columns"], 1)
    )
    rows = tuple(tuple(map(str, row)) for row in information["rows"])
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("a row has not as many values as there are columns")
    return Table(str(name), columns, rows)


def fingerprints(task: Task) -> frozenset[str]:
    """Hashes of its question and of its rows, whatever the order of columns, the case and the white space.

    A row with fewer than three different values says nothing: it may be equal by chance.
    """
    question = task.statement.rpartition("Question: ")[2]
    rows = ({" ".join(value.casefold().split()) for value in row} - {""} for table in task.tables for row in table.rows)
    known = ("\x1f".join(sorted(row)) for row in rows if len(row) >= 3)
    return frozenset(_hash(text) for text in (" ".join(question.casefold().split()), *known))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


AGENT_TASK = AgentTask(
    generate=generate,
    official=official,
    fingerprints=fingerprints,
    expert=expert,
    dialogues=PROTOCOLS,
    rounds=ROUNDS,
    tools=TOOLS,
    environment=Environment,
    pool=Pool,
    backend=backend,
)
"""What the engine is given: it makes the trajectories from this, trains on them, and plays."""
