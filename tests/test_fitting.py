"""What copier.yml refuses to train on a GPU, and how `benchmarks/fitting.py` compares and writes it."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from rendering import ROOT

FILE = """\
gpu: {type: str}

# Why.
too_large:
  type: yaml
  when: false  # never asked
  default: '{"dbbench": {"big": {"lora": ["T4"]}}, "alfworld": {"big": {"lora": ["T4", "L4"]}}}'

cramped: {when: false}  # kept
"""
CAPACITY = {"T4": 10.0, "L4": 20.0}


@pytest.fixture
def fitting(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, for a package whose base needs 15 GiB for one task and 30 for the other."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = import_module("fitting")
    monkeypatch.setitem(sys.modules, "made_up", ModuleType("made_up"))
    monkeypatch.setitem(sys.modules, "made_up.engine.memory.fit", SimpleNamespace(CAPACITY=CAPACITY))
    needed = {("dbbench", "big", "lora"): 15.0, ("alfworld", "big", "lora"): 30.0}
    monkeypatch.setattr(script, "table", lambda package: needed)
    return script


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copier.yml that says so."""
    (tmp_path / "copier.yml").write_text(FILE, encoding="utf-8")
    return tmp_path / "copier.yml"


def run(fitting: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["fitting.py", "made_up", *arguments])
    fitting.main()


def test_what_is_measured_is_shown_and_agrees(
    fitting: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(fitting, monkeypatch, "--check", str(file))
    shown = capsys.readouterr().out
    assert "| big | lora | 15.0 (L4) | 30.0 (none) |" in shown
    assert file.read_text(encoding="utf-8") == FILE


def test_what_differs_is_named_and_written_anew(
    fitting: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = FILE.replace('"lora": ["T4"]}', '"lora": ["L4"]}')
    file.write_text(wrong, encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        run(fitting, monkeypatch, "--check", str(file))
    said = str(caught.value)
    assert "dbbench big lora on L4 is refused and fits; dbbench big lora on T4 is offered and does not fit" in said
    assert len(said.splitlines()) == 1 and file.read_text(encoding="utf-8") == wrong
    run(fitting, monkeypatch, "--write", str(file))
    assert file.read_text(encoding="utf-8") == FILE
