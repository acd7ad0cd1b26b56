"""Grouping and comparing, on whatever hypothesis thinks of, against the plainest way to do it."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from transformer_demo.engine.splits.dedup import Pair, correlated, joined
from transformer_demo.engine.splits.leakage import Sample, compare
from transformer_demo.engine.splits.minhash import ALIKE, jaccard, near, shingles
from transformer_demo.engine.text import placing
from transformer_demo.engine.text.files import Document

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
keys = st.lists(st.sampled_from([f"{number:064x}" for number in range(12)]), min_size=1, max_size=12)
words = st.lists(st.sampled_from(["to", "be", "or", "not", "that", "is", "the", "question", "whether"]), max_size=14)


@st.composite
def connected(draw: st.DrawFn) -> tuple[list[str], list[Pair]]:
    """Keys, and pairs of their positions."""
    some = draw(keys)
    position = st.integers(0, len(some) - 1)
    return some, [Pair(a, b, 1.0) for a, b in draw(st.lists(st.tuples(position, position), max_size=12))]


def reachable(key: str, some: list[str], pairs: list[Pair]) -> set[str]:
    """The keys that pairs lead to, step by step."""
    found = {key}
    while more := {b for p in pairs for a, b in itertools.permutations((some[p[0]], some[p[1]])) if a in found} - found:
        found |= more
    return found


@given(connected())
def test_a_group_is_what_can_be_reached_and_is_called_after_its_smallest_key(
    case: tuple[list[str], list[Pair]],
) -> None:
    assert joined(*case) == [min(reachable(key, *case)) for key in case[0]]


@given(connected(), st.randoms())
def test_groups_do_not_depend_on_the_order(case: tuple[list[str], list[Pair]], chance: Any) -> None:
    some, pairs = case
    order = list(range(len(some)))
    chance.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    moved = [Pair(place[second], place[first], 1.0) for first, second, _ in pairs]
    chance.shuffle(moved)
    groups = joined(some, pairs)
    assert joined([some[old] for old in order], moved) == [groups[old] for old in order]


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(2, 5)), elements=st.integers(-9, 9)))
def test_correlated_rows_are_those_of_numpy(x: np.ndarray) -> None:
    varied = x[np.ptp(x, axis=1) > 0]
    r = np.corrcoef(varied) if len(varied) > 1 else np.ones((1, 1))
    expected = [(a, b) for a, b in itertools.combinations(range(len(varied)), 2) if r[a, b] >= 0.7 + 1e-9]
    found = {(first, second) for first, second, _ in correlated(varied, 0.7)}
    assert found >= set(expected)
    assert all(r[pair] >= 0.7 - 1e-9 for pair in found)
    assert len(correlated(x, 0.7)) == len(found)


@in_one_folder
@given(st.lists(words, max_size=12))
def test_near_texts_are_those_of_a_comparison_of_all(lists: list[list[str]]) -> None:
    texts = [" ".join(some) for some in lists]
    sets = [shingles(text) for text in texts]
    every = [(a, b) for a, b in itertools.combinations(range(len(sets)), 2) if len(sets[a]) and len(sets[b])]
    similar = {(a, b): jaccard(sets[a], sets[b]) for a, b in every}
    found = {(a, b): similarity for a, b, similarity in near(texts)}
    assert all(similarity >= ALIKE and similarity == similar[pair] for pair, similarity in found.items())
    # At 0.7, one in 10^7 may be missed; at the threshold, one in 200.
    assert {pair for pair, similarity in similar.items() if similarity >= 0.7} <= found.keys()


@in_one_folder
@given(st.lists(words, min_size=1, max_size=12), st.randoms())
def test_a_texts_split_depends_on_no_order(
    tmp_path_factory: pytest.TempPathFactory, lists: list[list[str]], chance: Any
) -> None:
    documents = [Document(f"{n}.txt", f"{n}.txt", " ".join([*some, "."])) for n, some in enumerate(lists)]
    shuffled = documents.copy()
    chance.shuffle(shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("folder"))
        patch.setattr(placing, "FEW", 1)
        (placed, leakage), (placed_2, leakage_2) = (placing.place(some, None) for some in (documents, shuffled))
    assert {sample.name: sample.split for sample, _ in placed} == {sample.name: sample.split for sample, _ in placed_2}
    assert leakage.found == leakage_2.found == []
    assert leakage.grouped == leakage_2.grouped


samples = st.lists(
    st.tuples(st.sampled_from(["train", "validation", "test"]), st.sampled_from("abcd"), st.sampled_from("xyz")),
    max_size=8,
)


@given(samples, st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=6))
def test_something_is_found_just_where_two_splits_share_something(
    values: list[tuple[str, str, str]], positions: list[tuple[int, int]]
) -> None:
    some = [Sample(str(number), *value) for number, value in enumerate(values)]
    pairs = [Pair(a, b, 0.9) for a, b in positions if a < len(some) and b < len(some)]
    alike = {(a, b) for a, b, _ in pairs} | {
        (a, b)
        for a, b in itertools.combinations(range(len(some)), 2)
        if some[a].key == some[b].key or some[a].group == some[b].group
    }
    torn = [(a, b) for a, b in alike if some[a].split != some[b].split]
    assert bool(compare(some, pairs, "").found) == bool(torn)


FITS = """
from transformer_demo.engine.splits.splits import Training

def fit(training: Training[list[str]]) -> None: ...

splits = {"train": ["a"], "test": ["b"]}
fit(Training(splits))
fit(splits["test"])
fit(Training(splits["test"]))
"""


def test_mypy_refuses_to_fit_anything_but_the_training_split(tmp_path: Path) -> None:
    (tmp_path / "fits.py").write_text(FITS)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "fits.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    errors = [line.split(":")[1] for line in result.stdout.splitlines() if "error:" in line]
    assert errors == ["8", "9"], result.stdout + result.stderr
