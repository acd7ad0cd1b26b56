"""Read a Dockerfile, list what breaks the rules for ours, and run its steps without an engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY", re.IGNORECASE)
PRIVATE = (".env", ".git/config", ".netrc", "runs/x/config.json", ".cache/x", "data.lock.json", ".venv/pyvenv.cfg")
OVERRIDES = ("--torch-backend", "UV_TORCH_BACKEND", "--index", "UV_INDEX", "--no-sources", "UV_NO_SOURCES")

# What the devcontainer specification knows of what is used here, by the type of its values.
DEVCONTAINER: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "build": (dict,),
    "remoteUser": (str,),
    "containerEnv": (dict,),
    "mounts": (list,),
    "runArgs": (list,),
    "hostRequirements": (dict,),
    "postCreateCommand": (str, list, dict),
    "customizations": (dict,),
}
DEVCONTAINER_BUILD = {"dockerfile", "context", "target", "args", "cacheFrom", "options"}


class Step(NamedTuple):
    """One instruction of a Dockerfile."""

    keyword: str
    text: str

    @property
    def flags(self) -> list[str]:
        return [word for word in self.text.split() if word.startswith("--")]

    @property
    def words(self) -> list[str]:
        """What COPY copies, and where to."""
        return [word for word in self.text.split() if not word.startswith("--")]


def stages(dockerfile: str) -> list[list[Step]]:
    """The instructions of each stage, the first of them its FROM."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    steps = [Step(*line.split(maxsplit=1)) for line in "\n".join(lines).replace("\\\n", " ").splitlines()]
    starts = [number for number, step in enumerate(steps) if step.keyword == "FROM"]
    return [steps[start:stop] for start, stop in zip(starts, [*starts[1:], len(steps)], strict=True)]


def image(project: Path) -> list[Step]:
    """The instructions of the stage that `docker build` makes an image of: the last."""
    return stages((project / "Dockerfile").read_text(encoding="utf-8"))[-1]


def let_through(project: Path, path: str) -> bool:
    """Whether .dockerignore lets a file through to the build: the last pattern that matches it decides."""
    passes = True
    for line in (project / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!").strip("/")
        if not pattern or line.startswith("#"):
            continue
        expression = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        if re.match(rf"{expression}(/|\Z)", path):
            passes = line.startswith("!")
    return passes


def sources(project: Path, step: Step) -> Iterator[tuple[str, list[str]]]:
    """What a COPY names, each with the files of it that reach the build."""
    for name in step.words[:-1]:
        found = [path for found in project.glob(name) for path in (found, *found.rglob("*")) if path.is_file()]
        names = [path.relative_to(project).as_posix() for path in found]
        yield name, [path for path in names if let_through(project, path)]


def violations(project: Path) -> list[str]:
    """What a linter cannot know, since it sees the Dockerfile alone."""
    steps = image(project)
    copies = [step for step in steps if step.keyword == "COPY"]
    found = [
        f"{name} does not reach the build"
        for step in copies
        for name, files in sources(project, step)
        if not files and "*" not in name
    ]
    found += [f"{path} reaches the build" for path in PRIVATE if let_through(project, path)]
    found += [f"{step.text} may hold a secret" for step in steps if step.keyword in ("ARG", "ENV") if _secret(step)]
    found += [f"{word} overrides the chosen PyTorch" for word in OVERRIDES for step in steps if word in step.text]
    scripts = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    (entry,) = [json.loads(step.text) for step in steps if step.keyword == "ENTRYPOINT"]
    found += [] if entry[0] in scripts else [f"{entry[0]} is no command of the project"]
    return found + _late_dependencies(steps)


def _secret(step: Step) -> bool:
    return any(SECRET.search(word.split("=")[0]) for word in step.words)


def _late_dependencies(steps: list[Step]) -> list[str]:
    """The dependencies are a layer of their own, before any of the code, and both layers keep to the lock."""
    syncs = [number for number, step in enumerate(steps) if step.keyword == "RUN" and "uv sync" in step.text]
    code = [n for n, step in enumerate(steps) if step.keyword == "COPY" and {"src", "."} & {*step.words[:-1]}]
    found = [f"{steps[number].text} is not held to uv.lock" for number in syncs if "--locked" not in steps[number].text]
    if not syncs or "--no-install-project" not in steps[syncs[0]].text or syncs[0] > min(code):
        found.append("the code comes before the dependencies")
    return found


def devcontainer_violations(project: Path) -> list[str]:
    """Keys and values that the devcontainer specification or the Dockerfile does not know."""
    settings = json.loads((project / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    found = [f"{key} is not known" for key in settings if key not in DEVCONTAINER]
    found += [
        f"{key} is a {type(value).__name__}"
        for key, value in settings.items()
        if not isinstance(value, DEVCONTAINER.get(key, (object,)))
    ]
    found += [f"build.{key} is not known" for key in settings["build"] if key not in DEVCONTAINER_BUILD]
    texts = [*settings["containerEnv"].values(), *settings["mounts"], *settings["runArgs"]]
    found += [f"{text} is no text" for text in texts if not isinstance(text, str)]
    if settings["hostRequirements"].get("gpu") not in (True, False, "optional"):
        found.append("hostRequirements.gpu is neither a boolean nor optional")
    return found or _devcontainer_stage(project, settings)


def _devcontainer_stage(project: Path, settings: dict[str, Any]) -> list[str]:
    """The image is a stage that is there, and makes the user and the folders that the settings use."""
    file = project / ".devcontainer" / settings["build"]["dockerfile"]
    if not file.is_file() or not (file.parent / "Dockerfile").samefile(project / "Dockerfile"):
        return [f"{settings['build']['dockerfile']} does not exist"]
    named = {stage[0].words[2]: stage for stage in stages(file.read_text("utf-8")) if len(stage[0].words) == 3}
    if settings["build"]["target"] not in named:
        return [f"there is no stage {settings['build']['target']}"]
    made = " ".join(step.text for step in named[settings["build"]["target"]] if step.keyword == "RUN")
    user = settings["remoteUser"]
    targets = [
        part.removeprefix("target=") for text in settings["mounts"] for part in text.split(",") if "target" in part
    ]
    found = [] if re.search(rf"useradd .*\b{user}\b", made) else [f"{user} is not made"]
    return found + [
        f"{target} would belong to root" for target in targets if f"-o {user} " not in made or target not in made
    ]


class Built(NamedTuple):
    """What the steps of a Dockerfile left."""

    root: Path
    environment: dict[str, str]
    folder: Path
    command: list[str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Start the container's command, its arguments the image's own where none are given."""
        entry, arguments = self.command[0], self.command[1:]
        program = shutil.which(entry, path=self.environment["PATH"]) or entry
        return subprocess.run(
            [program, *(words or arguments)], cwd=self.folder, env=self.environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip


def build(project: Path, root: Path) -> Built:
    """Take the steps of the Dockerfile in a folder that stands for the image's root, all but Debian's packages.

    Raises:
        subprocess.CalledProcessError: a step fails.
    """
    # A session of nox names its own environment to uv, which would empty it for the project.
    kept = ("UV_FIND_LINKS", "UV_CACHE_DIR")
    inherited = {name: value for name, value in os.environ.items() if name in kept or not name.startswith("UV_")}
    environment = {name: value for name, value in inherited.items() if name != "VIRTUAL_ENV"}
    environment["UV_PYTHON"] = sys.executable
    environment["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), environment["PATH"]])
    folder, command = root, []
    for step in image(project)[1:]:
        if step.keyword == "WORKDIR":
            folder = root / step.text.strip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif step.keyword == "ENV":
            environment |= _variables(step, root, environment)
        elif step.keyword == "COPY":
            _copy(project, step, folder)
        elif step.keyword == "RUN" and "apt-get" not in step.text:
            shell = re.sub(r"--mount=\S+", "", step.text)
            subprocess.run(["sh", "-ec", shell], cwd=folder, env=environment, capture_output=True, check=True)
        elif step.keyword in ("ENTRYPOINT", "CMD"):
            command += json.loads(step.text)
    return Built(root, environment, folder, command)


def _variables(step: Step, root: Path, environment: dict[str, str]) -> dict[str, str]:
    """What ENV sets, with the image's folders where they lie here."""
    pairs = (word.split("=", 1) for word in shlex.split(step.text))
    moved = {name: re.sub(r"(?<![\w.])/(app|tmp)\b", rf"{root}/\1", value) for name, value in pairs}
    return {name: value.replace("$PATH", environment["PATH"]) for name, value in moved.items()}


def _copy(project: Path, step: Step, folder: Path) -> None:
    modes = [int(flag.removeprefix("--chmod="), 8) for flag in step.flags if flag.startswith("--chmod=")]
    for name, paths in sources(project, step):
        for path in paths:
            beneath = Path(path).relative_to(name) if (project / name).is_dir() else Path(path).name
            target = folder / step.words[-1] / beneath
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / path, target)
            for mode in modes:
                target.chmod(mode)
