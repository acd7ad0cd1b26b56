"""The container extra: linted, its steps taken without an engine, and each rule with a violation that is noticed."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from containers import build, devcontainer_violations, image, let_through, violations
from rendering import choices, render

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the steps are those of a POSIX shell, and so is hadolint"
)
SCRIPTS = Path(sysconfig.get_path("scripts"))


@pytest.fixture(scope="module", params=choices("torch_build"))
def project(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the extra, for each build of PyTorch; only to be read."""
    folder = tmp_path_factory.mktemp("container") / "some-project"
    render(template, folder, {"extras": ["container"], "torch_build": request.param})
    return folder


@pytest.fixture(scope="module")
def whole(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("container") / "mine"
    render(template, folder, {"extras": ["container"]})
    return folder


@pytest.fixture
def mine(whole: Path, tmp_path: Path) -> Path:
    """A project with the extra, to break."""
    return shutil.copytree(whole, tmp_path / "mine")


def edit(project: Path, file: str, old: str, new: str) -> None:
    text = (project / file).read_text(encoding="utf-8")
    assert old in text
    (project / file).write_text(text.replace(old, new), encoding="utf-8")


# Lint


def lint(dockerfile: Path) -> str:
    result = subprocess.run([SCRIPTS / "hadolint", dockerfile], capture_output=True, text=True, check=False)
    assert (result.returncode == 0) == (result.stdout == ""), result.stderr
    return result.stdout


def test_the_linter_has_nothing_to_say(project: Path) -> None:
    assert lint(project / "Dockerfile") == ""


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("trixie-slim", "trixie-slim\nRUN cd /app", "DL3003"),
        ("uv:python3.11-trixie-slim", "uv:latest", "DL3007"),
        ("--no-install-recommends ", "", "DL3015"),
        ('ENTRYPOINT ["mine"]', "ENTRYPOINT mine", "DL3025"),
        ("WORKDIR /work", "WORKDIR work", "DL3000"),
        ("src src", "src docs src", "DL3021"),
    ],
)
def test_the_linter_notices(mine: Path, old: str, new: str, rule: str) -> None:
    edit(mine, "Dockerfile", old, new)
    assert rule in lint(mine / "Dockerfile")


# What a linter cannot know


def test_nothing_breaks_the_rules(project: Path) -> None:
    assert violations(project) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("Dockerfile", "README.md LICENSE", "README.rst LICENSE", "README.rst does not reach the build"),
        (".dockerignore", "!LICENSE", "", "LICENSE does not reach the build"),
        (".dockerignore", "*\n!pyproject", "!pyproject", ".env reaches the build"),
        ("Dockerfile", "UV_NO_DEV=1", "UV_NO_DEV=1 WANDB_API_KEY=x", "may hold a secret"),
        ("Dockerfile", "uv sync --locked\n", "uv sync\n", "is not held to uv.lock"),
        ("Dockerfile", "COPY pyproject.toml", "COPY src src\nCOPY pyproject.toml", "before the dependencies"),
        ("Dockerfile", " --no-install-project", "", "before the dependencies"),
        ("Dockerfile", "sync --locked --", "sync --locked --index x --", "overrides the chosen PyTorch"),
        ("Dockerfile", 'ENTRYPOINT ["mine"]', 'ENTRYPOINT ["other"]', "other is no command of the project"),
    ],
)
def test_a_broken_rule_is_noticed(mine: Path, file: str, old: str, new: str, said: str) -> None:
    edit(mine, file, old, new)
    assert any(said in violation for violation in violations(mine))


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        ("pyproject.toml", True),
        ("src/x/model.py", True),
        ("src/x/__pycache__/model.cpython-311.pyc", False),
        ("sub/src/x", False),
        ("my-texts/a.txt", False),
    ],
)
def test_only_what_the_image_needs_is_let_through(project: Path, path: str, passes: bool) -> None:
    assert let_through(project, path) is passes


def test_a_compiler_is_there_for_cuda_alone(project: Path) -> None:
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert any("gcc" in step.text for step in image(project)) == (answers["torch_build"] != "cpu")


def test_the_readme_mounts_the_folder_that_the_image_works_in(project: Path) -> None:
    mounted = re.findall(r'--volume "\$\{PWD\}:(\S+)"', (project / "README.md").read_text(encoding="utf-8"))
    (*_, last) = [step.text for step in image(project) if step.keyword == "WORKDIR"]
    assert mounted and {*mounted} == {last}


# The development container


def test_the_development_container_is_as_specified(project: Path) -> None:
    assert devcontainer_violations(project) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"remoteUser"', '"remoteuser"', "remoteuser is not known"),
        ('"runArgs": ["--ipc=host"]', '"runArgs": "--ipc=host"', "runArgs is a str"),
        ('"context"', '"folder"', "build.folder is not known"),
        ('"copy"', "1", "1 is no text"),
        ('"optional"', '"yes"', "hostRequirements.gpu"),
        ("../Dockerfile", "Dockerfile", "does not exist"),
        ('"target": "development"', '"target": "dev"', "there is no stage dev"),
        ('"remoteUser": "dev"', '"remoteUser": "me"', "me is not made"),
        ("/home/dev/.cache/uv", "/var/cache/uv", "/var/cache/uv would belong to root"),
    ],
)
def test_a_wrong_development_container_is_noticed(mine: Path, old: str, new: str, said: str) -> None:
    edit(mine, ".devcontainer/devcontainer.json", old, new)
    assert any(said in violation for violation in devcontainer_violations(mine))


# The steps themselves, with the few packages that `--help` needs


@pytest.fixture
def light(mine: Path) -> Path:
    text = (mine / "pyproject.toml").read_text(encoding="utf-8")
    light = re.sub(r"(?s)\ndependencies = \[.*?\n\]", '\ndependencies = ["tyro>=1.0"]', text)
    (mine / "pyproject.toml").write_text(light, encoding="utf-8")
    return mine


def test_the_steps_give_the_command_to_any_user(light: Path, tmp_path: Path) -> None:
    for path in (light / "src").rglob("*.py"):
        path.chmod(0o600)  # as a strict umask leaves it
    built = build(light, tmp_path / "image")
    assert built.folder == tmp_path / "image" / "work"
    shown = built.run()
    assert shown.returncode == 0, shown.stderr
    assert "train" in shown.stdout
    assert all(path.stat().st_mode & 0o005 == 0o005 for path in (built.root / "app" / "src").rglob("*.py"))
    assert "there is no preset smok" in built.run("train", "smok").stderr


def test_a_lock_is_kept_to_and_an_outdated_one_refused(light: Path, tmp_path: Path) -> None:
    subprocess.run([SCRIPTS / "uv", "lock", "--quiet", "--upgrade-package=tyro==1.0.1"], cwd=light, check=True)
    built = build(light, tmp_path / "locked")
    assert list(built.root.glob("app/.venv/lib/*/site-packages/tyro-1.0.1.dist-info"))
    edit(light, "pyproject.toml", '"tyro>=1.0"', '"tyro>=1.0.2"')
    with pytest.raises(subprocess.CalledProcessError) as failed:
        build(light, tmp_path / "outdated")
    assert b"needs to be updated" in failed.value.stderr
