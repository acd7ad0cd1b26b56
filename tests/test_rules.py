"""The seven rules of the template, each with a violation that its test notices."""

import copy
import time
from pathlib import Path

import pytest
import rules
import yaml
from rendering import COMPUTED, PYPROJECT, QUESTIONS, ROOT, VARIANTS, copy_template, files, render

OVERLAYS = rules.overlays(ROOT)
NAMES = [name for *_, name in OVERLAYS]
REPLICATED, SCALE = (ROOT / "template" / "{{ pytorch }}" / name for name in ("{{ replicated }}", "{{ scale }}"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the template to break."""
    return copy_template(tmp_path / "broken")


def write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, encoding="utf-8")


# 1. Overlays


@pytest.mark.parametrize("family", rules.SELECTING)
def test_no_two_active_overlays_hold_the_same_path(family: str) -> None:
    rows = rules.combinations(rules.SELECTING[family])
    assert len(rows) > 10
    for row in rows:
        used = rules.switches(QUESTIONS, set(NAMES), {"family": family} | row)
        assert set(used.values()) <= {".", ""}
        assert [names for names in OVERLAYS if used[names[-1]] and not used[names[0]]] == [], row
        assert rules.held_twice(OVERLAYS, used) == [], row


@pytest.mark.parametrize("variant", VARIANTS)
def test_copier_picks_the_same_overlays(questions: Path, tmp_path: Path, variant: str) -> None:
    used = render(questions, tmp_path / "project", VARIANTS[variant])
    asked = {name: used[name] for names in rules.SELECTING.values() for name in names if name in used}
    picked = rules.switches(QUESTIONS, set(NAMES), {"family": used["family"]} | asked)
    assert picked == {name: used[name] for name in NAMES}


def test_a_path_held_twice_is_noticed(broken: Path) -> None:
    write(broken, "template/{{ pytorch }}/{{ transformer }}/README.md", "# twice\n")
    write(broken, "template/{{ pytorch }}/{{ transformer }}/LICENSE/MIT", "a file here, a folder there\n")
    used = rules.switches(QUESTIONS, set(NAMES), {})
    assert sorted(rules.held_twice(rules.overlays(broken), used)) == ["LICENSE", "README.md"]


def test_every_folder_has_its_answer_and_only_the_answers_file_lies_beside_them() -> None:
    assert set(NAMES) <= COMPUTED.keys()
    beside = [path.name for path in (ROOT / "template").iterdir() if not path.is_dir()]
    assert beside == ["{{ _copier_conf.answers_file }}.jinja"]


def test_an_overlay_lies_in_that_of_its_family() -> None:
    assert {names[0] for names in OVERLAYS if len(names) > 1} == set(rules.SELECTING)
    assert ("pytorch", "cnn") in OVERLAYS


@pytest.mark.parametrize("module", ["parallel.py", "checkpoint_storage.py"])
def test_the_two_ways_to_train_on_several_processes_have_one_interface(module: str) -> None:
    path = Path("src", "{{ package }}", "engine", "training", module)
    replicated, scale = (rules.interface(overlay / path) for overlay in (REPLICATED, SCALE))
    assert replicated
    assert replicated.items() <= scale.items()


# 2. Plain files


def test_nearly_all_python_is_plain() -> None:
    assert rules.plain_share(ROOT) >= 0.9


def test_python_that_is_not_plain_is_noticed(broken: Path) -> None:
    write(broken, "template/{{ every }}/src/{{ package }}/big.py.jinja", "x = 1\n" * 10_000)
    assert rules.plain_share(broken) < 0.9


def test_tests_are_rendered_for_their_imports_alone() -> None:
    assert rules.jinja_in_tests(ROOT) == []


@pytest.mark.parametrize(
    "line", ["{% if wandb %}", "name = '{{ package }}'", "from {{ package }} import x  # {{ author }}"]
)
def test_more_in_a_test_is_noticed(broken: Path, line: str) -> None:
    write(broken, "template/{{ every }}/tests/test_x.py.jinja", f"{line}\n")
    assert f"test_x.py.jinja: {line}" in rules.jinja_in_tests(broken)


# 3. Jinja in few places


def test_no_template_compares_an_answer_with_a_string() -> None:
    assert rules.compared_with_strings(ROOT) == []


@pytest.mark.parametrize("test", ["tracker == 'wandb'", "'x' in extras", "license in ['MIT']", "ci != 'none'"])
def test_a_comparison_is_noticed(broken: Path, test: str) -> None:
    write(broken, "template/{{ every }}/x.jinja", f"one\n{{% if {test} %}}x{{% endif %}}\n")
    assert [place.partition(": ")[2] for place in rules.compared_with_strings(broken)] == ["line 2"]


def test_a_comparison_in_the_name_of_a_folder_is_noticed(broken: Path) -> None:
    write(broken, "template/{{ '.' if ci == 'x' else '' }}/x", "x\n")
    assert len(rules.compared_with_strings(broken)) == 1


# 4. No trust


def test_no_check_is_an_assert() -> None:
    assert rules.checking_asserts(ROOT) == []


def test_a_check_that_is_an_assert_is_noticed(broken: Path) -> None:
    [file] = (broken / "template").rglob("engine/training/sanity.py")
    file.write_text("assert x > 0, x\nassert isinstance(x, int)\nassert x is not None\n", encoding="utf-8")
    assert rules.checking_asserts(broken) == ["sanity.py, line 1"]


def test_nothing_needs_trust() -> None:
    assert rules.needs_trust(ROOT) == []
    assert rules.trusting_calls(ROOT) == []


@pytest.mark.parametrize(
    "setting", ["_tasks", "_migrations", "_jinja_extensions", "_external_data", "_secret_questions"]
)
def test_a_setting_that_needs_trust_is_noticed(broken: Path, setting: str) -> None:
    config = yaml.safe_load((broken / "copier.yml").read_text(encoding="utf-8"))
    (broken / "copier.yml").write_text(yaml.safe_dump(config | {setting: ["touch x"]}), encoding="utf-8")
    assert rules.needs_trust(broken) == [setting]


def test_a_link_is_noticed(broken: Path) -> None:
    (broken / "template" / "{{ every }}" / "link").symlink_to("/etc/hostname")
    assert len(rules.needs_trust(broken)) == 1


@pytest.mark.parametrize("call", ["copier.run_copy('a')", "run_update('a', unsafe=True)", "run('copier', '--trust')"])
def test_a_call_that_trusts_is_noticed(tmp_path: Path, call: str) -> None:
    write(tmp_path, "noxfile.py", "")
    write(tmp_path, "tests/test_x.py", call)
    assert len(rules.trusting_calls(tmp_path)) == 1


# 5. Rendered code as if written by hand: tests/test_render.py formats and lints the renders


def test_plain_files_are_checked_by_the_rules_of_the_renders(template: Path, tmp_path: Path) -> None:
    render(template, tmp_path / "project")
    rendered = rules.load_toml(tmp_path / "project" / "pyproject.toml")["tool"]["ruff"]
    ours = copy.deepcopy(PYPROJECT["tool"]["ruff"])
    # What lies where differs between the two, and the template holds a folder that is called as a library.
    for settings in (rendered, ours):
        del settings["lint"]["per-file-ignores"]
    del ours["lint"]["isort"]
    assert rendered == ours
    assert rendered["line-length"] == 120


# 6. Ownership: tests/test_updates.py asks the releases


def test_a_path_that_vanishes_is_noticed() -> None:
    assert rules.vanished({"a.py", "b.py"}, {"b.py", "c.py"}) == ["a.py"]


# 7. No clock


def test_nothing_depends_on_when_or_where_it_is_rendered(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"project_name": "same", "extras": ["container"]}
    render(template, tmp_path / "here" / "one", answers)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LANG", "tr_TR.UTF-8")
    render(template, tmp_path / "there" / "two", answers)
    assert files(tmp_path / "here" / "one") == files(tmp_path / "there" / "two")


def test_no_template_asks_the_clock() -> None:
    assert rules.clocked(ROOT) == []


@pytest.mark.parametrize(
    "text", ["{{ '%Y' | strftime }}", "{{ [1, 2] | random }}", "{{ '/*' | fileglob }}", "{{ now() }}"]
)
def test_a_clock_is_noticed(broken: Path, text: str) -> None:
    write(broken, "template/{{ every }}/x.jinja", text)
    assert len(rules.clocked(broken)) == 1
