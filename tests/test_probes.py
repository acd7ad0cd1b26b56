"""A few probes, and what they must notice; `python tests/probes.py SRC` draws three hundred."""

from pathlib import Path

import pytest
import transformer_demo
from probes import SHELLS, Probe, bare, ended, kept, lost, run

SOURCE = Path(transformer_demo.__file__).parents[1]
PLAIN = Probe(number=0, words=["report"], environment={}, shell=SHELLS[0], states=[])


def test_whatever_is_typed_ends_well(tmp_path: Path) -> None:
    assert run(12, 0, SOURCE, tmp_path) == []


@pytest.mark.parametrize(
    ("code", "said", "fine"),
    [
        (0, "warning: no run", True),
        (1, "step 3\nerror: there is no run", True),
        (1, "step 3\n\x1b[?25herror: there is no run", True),
        (2, "usage", True),
        (1, "", False),
        (1, "error: one\nerror: two", False),
        (1, "error: one\nmore", False),
        (1, "Traceback (most recent call last):\nerror: one", False),
        (-11, "error: one", False),
        (134, "", False),
    ],
)
def test_how_a_command_may_end(code: int, said: str, fine: bool) -> None:
    assert (ended(code, said) == "") is fine


def test_what_is_lost_or_no_json_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "1"
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "config.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    before = kept(tmp_path)
    assert list(lost(before, tmp_path, PLAIN)) == list(bare(tmp_path)) == []
    (folder / "model.safetensors").unlink()
    (folder / "config.json").write_text("NaN", encoding="utf-8")
    assert sorted(lost(before, tmp_path, PLAIN)) == [
        "runs/1/config.json has changed",
        "runs/1/model.safetensors is lost",
    ]
    assert list(bare(tmp_path)) == ["runs/1/config.json is not JSON for every reader"]
