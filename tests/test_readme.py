"""What the documents promise can be run as it stands."""

import re
import subprocess
from pathlib import Path

import pytest
from planted import summary
from rendering import ASKED, ROOT, VARIANTS
from rules import TRUSTING_FLAGS

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_first_two_blocks_are_one_command_each() -> None:
    for block in BLOCKS[:2]:
        assert len(block.splitlines()) == 1
        assert subprocess.run(["bash", "-n", "-c", block], check=False).returncode == 0


def test_the_first_block_renders_from_an_absolute_path_and_trains() -> None:
    assert 'copier copy --defaults "$PWD" ../seedbed-demo ' in BLOCKS[0]
    assert BLOCKS[0].endswith("seedbed-demo train\n")
    assert not any(flag in "".join(BLOCKS) for flag in TRUSTING_FLAGS)


def test_ci_runs_exactly_the_second_block() -> None:
    assert CI.splitlines()[-1] == BLOCKS[1].strip()
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False).returncode == 0


@pytest.mark.parametrize("architecture", sorted({answers.get("architecture", "qwen") for answers in VARIANTS.values()}))
def test_every_architecture_is_in_the_table(architecture: str) -> None:
    assert f"| `{architecture}` |" in README


def test_answers_in_the_readme_exist() -> None:
    assert set(re.findall(r"--data (\w+)=", README)) <= ASKED.keys()


def test_every_session_is_described() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    sessions = re.findall(
        r"^@nox\.session.*?\ndef (\w+)", (ROOT / "noxfile.py").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert re.findall(r"^\| `(\w+)` \|", contributing, re.MULTILINE) == sessions


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_exist(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not Path(ROOT, link).exists()] == []


def test_the_table_of_planted_faults_is_that_of_the_page() -> None:
    section = README.partition("### Planted faults")[2]
    assert re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)[1:] == summary()
