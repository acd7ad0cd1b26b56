"""What decides a result that is kept, as a short key: where any of it changes, nothing that was kept is used."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config import DataConfig
from ..core.config_io import fingerprint
from ..core.files import write_atomically
from ..splits.splits import SPLITS
from ..task import AgentTask, Task

ENGINE = Path(__file__).parents[1]
TRAINING = {"__init__.py", "__main__.py", "config.py", "presets.py", "sft.py"}
"""Files of the owner that say how to train, and change no task, no move and no answer."""


def key(deciding: Any) -> str:
    """A few characters that stand for values."""
    return fingerprint(json.dumps(deciding))[:8]


def played_with(agent_task: AgentTask) -> list[str]:
    """What every episode depends on: the owner's files, the environment's, and what the environment runs on."""
    own = [file for file in files_in(ENGINE.parent) if ENGINE not in file.parents and file.name not in TRAINING]
    home = Path(str(sys.modules[agent_task.environment.__module__].__file__)).parent
    theirs = files_in(home) if ENGINE in home.parents else []
    return [agent_task.backend(), *(f"{file.name} {fingerprint(file)}" for file in (*own, *theirs))]


def files_in(folder: Path) -> list[Path]:
    """All files of a folder but those that Python or an editor leaves there."""
    found = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return [file for file in found if file.suffix != ".pyc" and file.name[0] != "." and file.name[-1] != "~"]


def folder_for(
    folder: Path, tasks: Sequence[Task], agent_task: AgentTask, protocol: str, player: dict[str, Any]
) -> Path:
    """Where the episodes of these tasks are kept, with its key at the end of its name, and what decided it inside."""
    deciding = {
        "protocol": protocol,
        "player": player,
        "tasks": fingerprint(repr(list(tasks))),
        "played with": played_with(agent_task),
    }
    home = folder.with_name(f"{folder.name}-{key(deciding)}")
    home.mkdir(parents=True, exist_ok=True)
    write_atomically(home / "settings.json", json.dumps(deciding, indent=1) + "\n")
    return home


def parts_of(config: DataConfig, agent_task: AgentTask) -> str:
    """The hash of all parts of the generated tasks: where it is what it was, the splits are as far apart as then."""
    tasks = (task for split in SPLITS for task in agent_task.generate(getattr(config, split), config.seed, split))
    return fingerprint(json.dumps([sorted(agent_task.fingerprints(task)) for task in tasks]))
