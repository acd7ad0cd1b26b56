"""Commands as people may start them, drawn from a seed: options, environments, states of a folder, damaged files.

    python tests/probes.py [--count 300] [--seed 0]

Each probe is a process of its own in a copy of a project's folder that holds a text, a finished run and one that was
stopped. Whatever comes of it, it must not end in a traceback or by a signal, a refusal is one line, what is written is
JSON for every reader, and nothing is lost that was whole before.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

PACKAGE = "transformer_demo"
TRAIN = ["train", "smoke", "--data.path", "text", "--train.steps", "4", "--train.validate-every", "2"]
TRAIN += ["--train.save-every", "2", "--train.device", "cpu", "--train.validation-batches", "1"]
LIMIT = 120
"""Seconds that a probe may take: the longest is `check`."""
CURSOR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What a bar writes to a terminal, or where FORCE_COLOR claims that there is one."""
USAGE = 2
"""The exit code of a command line that cannot be read; what it prints is tyro's."""

COMMANDS = [
    (TRAIN, 6),
    (["train", "--resume"], 4),
    (["train", "--resume", "--train.steps", "6"], 2),
    (["train", "--resume", "--from", "2"], 1),
    (["evaluate"], 4),
    (["evaluate", "--final"], 3),
    (["report"], 2),
    (["predict", "def"], 4),
    (["diagnose"], 3),
    (["compare", "FINISHED", "FINISHED"], 2),
    (["--help"], 1),
    (["train", "--help"], 1),
]
"""And how often each is drawn; FINISHED stands for the finished run."""
OPTIONS = {
    "train": [
        "--seed=-1",
        f"--seed={2**64}",
        "--model.context-length=1",
        "--model.context-length=100000",
        "--model.vocab-size=10",
        "--model.heads=3",
        "--model.dropout=nan",
        "--train.batch=7",
        "--train.learning-rate=nan",
        "--train.learning-rate=inf",
        "--train.learning-rate=1e30",
        "--train.lr=1",
        "--train.ema=1",
        "--train.num-workers=1",
        "--train.optimizer=muon",
        "--train.schedule=wsd",
        "--train.grad-clip=0",
        "--train.steps=0",
        f"--name={'a' * 300}",
        "--name=../up",
        "--name=a b",
        "--name=",
        "--tags=\udcff",
        "--data.path=./text/",
        "--data.path=nowhere",
        "--data.path=text/0.txt",
        "--data.path=",
        "--init=FINISHED",
        "--init=nowhere",
        "--run=nowhere",
        "--from=3",
    ],
    "evaluate": ["FINISHED", "nowhere", "text", "--again", "--split=test"],
    "report": ["FINISHED", "nowhere", ""],
    "predict": [
        "--temperature=nan",
        "--temperature=1e-40",
        "--temperature=-1",
        f"--seed={2**64}",
        "--tokens=0",
        "--tokens=-1",
        "--run=nowhere",
        "-x",
        "\udcff",
        "two",
    ],
    "diagnose": ["FINISHED", "nowhere"],
    "compare": ["nowhere"],
}
ENVIRONMENTS: list[dict[str, str]] = [
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LANG": "tr_TR.UTF-8"},
    {"TZ": "Pacific/Kiritimati"},
    {"TZ": "nonsense"},
    {"PYTHONOPTIMIZE": "1"},
    {"PYTHONOPTIMIZE": "2"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONHASHSEED": "7"},
    {"PYTHONDEVMODE": "1"},
    {"COLUMNS": "1"},
    {"COLUMNS": "x", "TERM": "dumb"},
    {"NO_COLOR": "1"},
    {"FORCE_COLOR": "1"},
    {"WORLD_SIZE": ""},
    {"WORLD_SIZE": "2"},
    {"WORLD_SIZE": "x"},
    {"OMP_NUM_THREADS": "1"},
    {"CUDA_VISIBLE_DEVICES": ""},
    {"HOME": "/nowhere"},
    {"TMPDIR": "/nowhere"},
    {"MPLBACKEND": "TkAgg"},
]
SHELLS = ["exec {}", "exec {} >&-", "exec {} <&-", "umask 077; exec {}", "umask 027; exec {}", "exec {} > out.txt"]


def truncated(content: bytes, draw: random.Random) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(max(1, len(content)))
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] if content else b"x"


def zeroed(content: bytes, draw: random.Random) -> bytes:
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


PLANTED = b'{"a": NaN}'
CONTENTS = [b"", b"{}", b"null", b"[]", b"[" * 100_000, b"\xff\xfe", PLANTED, b"\n"]
DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [truncated, flipped, zeroed]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One process, and what its folder is like."""

    number: int
    words: list[str]
    environment: dict[str, str]
    shell: str
    states: list[str]
    """What was done to the folder."""

    def __str__(self) -> str:
        about = [f"{name}={value}" for name, value in self.environment.items()]
        return f"probe {self.number}: {' '.join([*about, *self.words])!r}, {self.shell!r}, {', '.join(self.states)}"


def put(path: Path, content: bytes) -> None:
    """Write a file, in place of whatever is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(content)


def spoil(folder: Path, draw: random.Random) -> str:
    """Damage one file that the project wrote."""
    files = [file for name in ("runs", ".cache") for file in sorted((folder / name).rglob("*")) if file.is_file()]
    file = draw.choice([*files, folder / "data.lock.json"])
    name = file.relative_to(folder).as_posix()
    if draw.random() < 0.2:
        file.unlink()
        return f"without {name}"
    if draw.random() < 0.5:
        content = draw.choice(CONTENTS)
        file.write_bytes(content)
        return f"{content[:10]!r} in {name}"
    damage = draw.choice(DAMAGES)
    file.write_bytes(damage(file.read_bytes(), draw))
    return f"{damage.__name__} {name}"


def change(folder: Path, draw: random.Random) -> str:
    """Bring the folder into another state."""
    state = draw.choice(["no runs", "runs is a file", "cache is a file", "lock is a folder", "text changed", "no text"])
    match state:
        case "no runs":
            shutil.rmtree(folder / "runs")
        case "runs is a file":
            put(folder / "runs", b"")
        case "cache is a file":
            put(folder / ".cache", b"")
        case "lock is a folder":
            (folder / "data.lock.json").unlink()
            (folder / "data.lock.json").mkdir()
        case "text changed":
            (folder / "text" / "0.txt").write_text("other words than before\n" * 9, encoding="utf-8")
        case "no text":
            shutil.rmtree(folder / "text")
    return state


def drawn(number: int, seed: int, folder: Path, finished: str) -> Probe:
    """The probe of this number, whose folder is changed accordingly."""
    draw = random.Random(f"{seed} {number}")
    words = list(draw.choices([words for words, _ in COMMANDS], [weight for _, weight in COMMANDS])[0])
    choices = OPTIONS.get(words[0], [])
    words += draw.sample(choices, k=min(len(choices), draw.choice((0, 0, 1, 1, 2))))
    environment = dict(draw.choice(ENVIRONMENTS)) if draw.random() < 0.6 else {}
    states = [spoil(folder, draw) for _ in range(draw.choice((0, 0, 1, 1, 2)))]
    states += [change(folder, draw)] if draw.random() < 0.2 else []
    return Probe(
        number=number,
        words=[word.replace("FINISHED", finished) for word in words],
        environment=environment,
        shell=draw.choice(SHELLS) if draw.random() < 0.4 else SHELLS[0],
        states=states,
    )


def start(folder: Path, probe: Probe, source: Path) -> subprocess.CompletedProcess[bytes]:
    """What the process wrote, and how it ended."""
    command = [sys.executable, "-m", PACKAGE, *probe.words]
    shell = ["bash", "-c", probe.shell.format('"$0" "$@"'), *command]
    environment = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"} | probe.environment
    return subprocess.run(
        [os.fsencode(word) for word in shell],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )


def kept(folder: Path) -> dict[str, bytes]:
    """The person's text, and the weights and records of runs."""
    names = ("text/*.txt", "runs/*/model.safetensors", "runs/*/config.json", "ledger.jsonl", "data.lock.json")
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for name in names
        for file in folder.glob(name)
        if file.is_file()
    }


def ended(code: int, said: str) -> str:
    """What is wrong with how a process ended; "" where nothing is."""
    lines = CURSOR.sub("", said).rstrip().splitlines()
    if "Traceback" in said:
        return f"a traceback that ends with {lines[-1]}"
    if code < 0 or code > 128:
        return f"ended with {code}: {said[-300:]}"
    refused = code not in (0, USAGE)
    if refused and (not lines or [line for line in lines if line.startswith("error: ")] != lines[-1:]):
        return f"no single line of error at the end: {said[-300:]}"
    return ""


def lost(before: dict[str, bytes], folder: Path, probe: Probe) -> Iterator[str]:
    """What was whole before and is not now."""
    after = kept(folder)
    changing = {"ledger.jsonl", "data.lock.json"}
    if "--resume" in probe.words:
        changing |= {"config.json", "model.safetensors"}
    for name, content in before.items():
        if name not in after:
            yield f"{name} is lost"
        elif after[name] != content and Path(name).name not in changing:
            yield f"{name} has changed"


def bare(folder: Path) -> Iterator[str]:
    """Files of JSON with what only Python reads."""
    for file in folder.glob("runs/**/*.json*"):
        text = file.read_text(encoding="utf-8", errors="replace").replace(PLANTED.decode(), "")
        if "NaN" in text or "Infinity" in text:
            yield f"{file.relative_to(folder)} is not JSON for every reader"


def prepare(home: Path, source: Path) -> str:
    """A folder with a text, a finished run, whose name is returned, and one that was stopped."""
    (home / "text").mkdir(parents=True)
    draw = random.Random(0)
    for number in range(60):
        words = " ".join(f"w{draw.randrange(99)}" for _ in range(60))
        (home / "text" / f"{number}.txt").write_text(f"{words}\n", encoding="utf-8")
    plain = Probe(number=-1, words=TRAIN, environment={}, shell=SHELLS[0], states=[])
    for _ in range(2):
        done = start(home, plain, source)
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
    finished, stopped = sorted(file.parent for file in home.glob("runs/*/config.json"))
    (stopped / "model.safetensors").unlink()
    shutil.rmtree(stopped / "report")
    return finished.relative_to(home).as_posix()


def run(count: int, seed: int, source: Path, folder: Path) -> list[str]:
    """What was wrong with so many probes."""
    finished = prepare(folder / "home", source)

    def one(number: int) -> list[str]:
        mine = folder / str(number)
        shutil.copytree(folder / "home", mine)
        probe = drawn(number, seed, mine, finished)
        before = kept(mine)
        try:
            done = start(mine, probe, source)
            # `diagnose` ends with 1 where it finds something.
            code = 0 if probe.words[0] == "diagnose" and done.stdout else done.returncode
            said = ended(code, done.stderr.decode(errors="backslashreplace"))
            found = [*filter(None, [said]), *lost(before, mine, probe), *bare(mine)]
        except subprocess.TimeoutExpired:
            found = [f"took more than {LIMIT} s"]
        shutil.rmtree(mine)
        return [f"{probe}: {fault}" for fault in found]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = track(pool.map(one, range(count)), "probes", total=count, disable=not sys.stderr.isatty())
        return [fault for found in results for fault in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the folder src of a rendered project")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(options.count, options.seed, options.source.resolve(), Path(folder))
    print("\n".join(found))
    kinds = Counter(fault.rpartition(": ")[2][:60] for fault in found)
    probes = len({fault.partition(":")[0] for fault in found})
    print(f"{probes} of {options.count} probes went wrong; {json.dumps(kinds.most_common(10))}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
