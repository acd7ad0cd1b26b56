"""A short campaign, and what it must notice; `nox -s campaign` is the long one."""

import signal
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("resource", reason="the attempts are copies of this process, as POSIX makes them")
from campaign import PHASES, Campaign, Outcome, Strike, Tally, draw, judge, small_disk, table
from transformer_demo.engine.training import checkpoint
from transformer_demo.engine.training.checkpoint import Trained
from transformer_demo.engine.training.checkpoint_storage import Checkpoints

KILLS = ("call", "clock")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(tmp_path_factory.mktemp("campaign") / "trainings")


def conduct(campaign: Campaign, strikes: Iterator[Strike], count: int, disk: Path | None = None) -> Tally:
    return campaign.run(strikes, count, disk or campaign.folder, lambda tally: None)


def test_killed_in_every_phase(campaign: Campaign) -> None:
    strikes = [
        Strike(kind=kind, phase=phase, entry=1, share=0.5) for kind, phase in zip(KILLS * 3, PHASES, strict=False)
    ]
    tally = conduct(campaign, iter(strikes), len(PHASES))
    assert tally.faults == [] and tally.trainings == 1
    assert all(tally.struck["call", phase] == 1 for phase in PHASES[::2]), "these moments are exact"
    assert sum(tally.struck.values()) == len(PHASES)
    assert list(table(tally, {"call": "at a call"}))[-1].endswith("ended like the undisturbed one, to the bit")


def test_a_disk_that_fills_up(campaign: Campaign, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("this user may not mount a tmpfs")
        tally = conduct(campaign, draw(0, ("disk",)), 3, disk)
    assert tally.faults == [] and sum(tally.struck.values()) == 3


def test_a_state_that_is_not_restored_is_noticed(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Checkpoints.load

    def forgetful(self: Checkpoints, name: str, trained: Trained, device: torch.device) -> dict[str, Any]:
        return load(self, name, trained._replace(averaged=None), device)

    monkeypatch.setattr(Checkpoints, "load", forgetful)
    strike = Strike(kind="call", phase="step", entry=8, share=0.5)
    tally = conduct(campaign, iter([strike]), 1)
    assert any("checkpoint differs" in fault and "entry=8" in fault for fault in tally.faults)


def test_a_full_disk_that_is_no_one_liner_is_noticed(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checkpoint, "saving", lambda *_: nullcontext())
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("this user may not mount a tmpfs")
        strike = Strike(kind="disk", phase="checkpoint", entry=1, share=0.5)
        tally = conduct(campaign, iter([strike]), 1, disk)
    assert not tally.struck and "an attempt ended with 1 while in checkpoint" in tally.faults[0]


@pytest.mark.parametrize(
    ("code", "said", "fine"),
    [
        (0, "", True),
        (-signal.SIGKILL, "", False),
        (1, "error: the disk is full: free space there", True),
        (1, "Traceback\nerror: free space there", False),
        (1, "error: something else", False),
        (-signal.SIGSEGV, "error: free space there", False),
    ],
)
def test_what_an_attempt_on_a_full_disk_may_end_with(code: int, said: str, fine: bool) -> None:
    strike = Strike(kind="disk", phase="step", entry=1, share=0.0)
    assert (judge(Outcome(code, "step", said), strike) == []) is fine


def test_a_seed_draws_the_same_strikes_again_and_another_others() -> None:
    first, again, other = (list(islice(draw(seed, KILLS), 300)) for seed in (0, 0, 1))
    assert first == again != other
    assert {(strike.kind, strike.phase) for strike in first} == {(kind, phase) for kind in KILLS for phase in PHASES}
