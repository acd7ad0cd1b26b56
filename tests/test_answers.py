"""Any answer renders a project in which it reads back equal, or is refused with a sentence that says what to type."""

import ast
import json
import keyword
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from parsing import leftovers, metadata, paragraph, parse_all
from rendering import ASKED, COMPUTED, QUESTIONS, VARIANTS, applies, choices, render

RESERVED = set(QUESTIONS["reserved"]["default"].split())
UNPRINTABLE = re.compile(QUESTIONS["unprintable"]["default"])

HOSTILE = [
    '"', "'", '"""', "'''", "\\", "\\n", "\\u0000", "`", "```", "~~~", "$(touch x)", "${HOME}", "%s", "&amp;", "<!--",
    "<b>", "{{ 7*7 }}", "{% raw %}", "{% include '/etc/passwd' %}", "{# x #}", "${{ secrets.X }}", "../../x", "C:\\x",
    "/etc/passwd", "#", "# x", "- x", "1. x", "1) x", "+ x", "> x", "* x", "_x_", "[x]: y", "[x](y)", "![x](y)", "|",
    "---", "===", "...", "key: value", "!!python/object", "&a *a", "null", "true", "0x10", "1e3", "~", "@x", "%TAG",
    "e\u0301", "日本語", "👩\u200d👩\u200d👧\u200d👦", "🏳\ufe0f\u200d🌈", "🏴\U000e0067\U000e0062\U000e007f",
    "\U0010fffd", "\ufb01", "ß", "İ", "مرحبا", "\xa0", "\u3000", "\u00ad", "\u200d",
]  # fmt: skip
REFUSED_CHARACTERS = [
    "\n", "\r", "\r\n", "\t", "\0", "\x1b", "\x7f", "\x85", "\x9f", "\u061c", "\u200e", "\u2028", "\u2029", "\u202e",
    "\u2066", "\ud800", "\udfff", "\ufeff", "\ufdd0", "\ufffe", "\uffff",
]  # fmt: skip

# Rendering takes longer than Hypothesis expects of an example, and the template is read, never written.
slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

anything = st.text(st.characters(), max_size=60) | st.lists(
    st.sampled_from(HOSTILE + REFUSED_CHARACTERS) | st.text(max_size=5), max_size=6
).map("".join)
prose = anything.map(lambda text: UNPRINTABLE.sub("", text).strip())
project_names = st.from_regex(r"\A[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9}){0,2}\Z").filter(
    lambda name: name.replace("-", "_") not in RESERVED
)
packages = st.from_regex(r"\A[a-z][a-z0-9_]{0,39}\Z").filter(lambda name: name not in RESERVED)
emails = st.from_regex(
    r"\A[A-Za-z0-9_+-]{1,8}(\.[A-Za-z0-9_+-]{1,8})?@[a-z0-9]{1,8}(-[a-z0-9]{1,3})?(\.[a-z]{2,5}){1,2}\Z"
)
numbers = st.integers(1, 999_999).map(str) | st.decimals("0.001", "999999", places=3).map(str)

VALID: dict[str, st.SearchStrategy[Any]] = {
    "project_name": project_names,
    "description": prose.filter(bool),
    "author": prose,
    "email": st.just("") | emails,
    "advanced": st.booleans(),
    "package": packages,
    "budget_parameters": numbers,
    "budget_vram": numbers,
    "budget_latency": numbers,
    # Recorded in the order in which they are offered.
    "extras": st.sets(st.sampled_from(choices("extras"))).map(lambda some: sorted(some, key=choices("extras").index)),
} | {
    question: st.sampled_from(choices(question))
    for question in ("architecture", "license", "python_version", "torch_build", "tracker", "ci")
}
VALID_OF_QWEN: dict[str, st.SearchStrategy[Any]] = {
    "base_other": st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,9}/[A-Za-z0-9][A-Za-z0-9._-]{0,9}\Z"),
    "notebooks": st.booleans(),
} | {
    question: st.sampled_from(choices(question))
    for question in ("base_model", "agent_task", "method", "gpu", "adapter")
}
OF_BOTH = [question for question in VALID if "when" not in ASKED[question]]


def project_in(folder: str) -> Path:
    return Path(folder, "a-project")


def refusal(template: Path, answers: dict[str, Any]) -> str:
    """The sentence with which answers are refused; "" if they are not. Nothing may be left of a refused project."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            render(template, project_in(folder), answers)
        except ValueError as error:
            assert list(Path(folder).iterdir()) == []
            return str(error)
    return ""


def read_back(project: Path, parsed: dict[str, Any]) -> dict[str, Any]:
    """The answers as the readers of the rendered files see them."""
    pyproject = parsed["pyproject.toml"]["project"]
    author = {key: value for entry in pyproject.get("authors", []) for key, value in entry.items()}
    package = pyproject["scripts"][pyproject["name"]].split(".")[0]
    seen = metadata(project)
    assert (seen.name, seen.description) == (pyproject["name"], pyproject["description"])
    return {
        "project_name": pyproject["name"],
        "description": pyproject["description"],
        "author": author.get("name", ""),
        "email": author.get("email", ""),
        "package": package,
        "python_version": pyproject["requires-python"].removeprefix(">="),
        "license": {"LicenseRef-Proprietary": "proprietary"}.get(pyproject["license"], pyproject["license"]),
    }


def budgets(module: ast.Module) -> dict[str, float]:
    """The budgets as a rendered module states them, in the units of the questions."""
    assignments = (statement for statement in module.body if isinstance(statement, ast.Assign))
    stated = {ast.unparse(found.targets[0]): ast.literal_eval(found.value) for found in assignments}
    return {
        "budget_parameters": stated["PARAMETERS"] / 1_000_000,
        "budget_vram": stated["VRAM_GB"],
        "budget_latency": stated["LATENCY_MS"],
    }


def test_every_question_has_a_strategy() -> None:
    assert VALID.keys() | VALID_OF_QWEN.keys() | {"family"} == ASKED.keys()


@settings(slow, max_examples=150)
@given(answers=st.fixed_dictionaries({}, optional=VALID))
@example(answers={"description": "12) # `code` *a* _b_ <i> [x]: y & \\ 1. 2"})
@example(answers={"author": "Martin Luther King, Jr.", "email": "m.l+k@example.org"})
def test_valid_answers_read_back_equal(answers_template: Path, answers: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = project_in(folder)
        used = render(answers_template, project, answers)
        parsed = parse_all(project)
        recorded = parsed[".copier-answers.yml"]
        assert {key: recorded[key] for key in answers} == answers
        assert recorded == recorded_of(used)
        seen = read_back(project, parsed)
        assert seen == {key: used[key] for key in seen}
        assert paragraph((project / "README.md").read_text(encoding="utf-8")) == used["description"]
        held_to = budgets(parsed[f"src/{used['package']}/budgets.py"])
        assert held_to == pytest.approx({question: float(used[question]) for question in held_to}, abs=1e-6)
        if used["license"] != "Apache-2.0":
            assert used["holder"] in parsed["LICENSE"]
        if not leftovers(used["description"] + used["author"]):
            assert [text for name in parsed if (text := leftovers((project / name).read_text(encoding="utf-8")))] == []


@settings(slow, max_examples=60)
@given(answers=st.fixed_dictionaries({}, optional={key: VALID[key] for key in OF_BOTH} | VALID_OF_QWEN))
def test_valid_answers_of_qwen_read_back_equal_or_do_not_fit(answers_template: Path, answers: dict[str, Any]) -> None:
    answers = {"family": "qwen"} | answers
    if answers.get("base_model") != "other":
        answers.pop("base_other", None)
    too_large = json.loads(QUESTIONS["too_large"]["default"])[answers.get("agent_task", "dbbench")].get(
        answers.get("base_model", choices("base_model")[0]), {}
    )
    if answers.get("gpu", "L4") in too_large.get(answers.get("adapter", "qlora"), []):
        assert "needs more memory than this GPU has" in refusal(answers_template, answers)
        return
    with tempfile.TemporaryDirectory() as folder:
        project = project_in(folder)
        used = render(answers_template, project, answers)
        parsed = parse_all(project)
        assert parsed[".copier-answers.yml"] == recorded_of(used) == recorded_of(used) | answers
        seen = read_back(project, parsed)
        assert seen == {key: used[key] for key in seen}
        assert chosen(parsed[f"src/{used['package']}/config.py"]) == {
            "BASE": answers.get("base_other", "Qwen/Qwen3-8B") if used["base_model"] == "other" else used["base_model"],
            "ADAPTER": used["adapter"],
            "GPU": used["gpu"],
            "LENGTH": {"dbbench": 4096, "alfworld": 12288}[used["agent_task"]],
            "PACKING": used["agent_task"] == "dbbench",
        }


def test_no_choice_of_a_gpu_leaves_no_adapter() -> None:
    for bases in json.loads(QUESTIONS["too_large"]["default"]).values():
        for adapters in bases.values():
            assert set.intersection(*map(set, adapters.values())) <= {"T4"}, "only T4 is a choice that can be disabled"
            assert set(adapters["qlora"]) <= set(adapters["lora"]) <= set(adapters["full"])


def recorded_of(used: dict[str, Any]) -> dict[str, Any]:
    """What the file of the answers holds: those that are asked for, and where the template lies."""
    return {key: used[key] for key in [*(key for key in ASKED if applies(key, used)), "_src_path"]}


def chosen(module: ast.Module) -> dict[str, Any]:
    """The values of the constants that a module gives names to."""
    found = (line for line in module.body if isinstance(line, ast.Assign | ast.AnnAssign))
    return {
        ast.unparse(line.targets[0] if isinstance(line, ast.Assign) else line.target): ast.literal_eval(line.value)
        for line in found
        if isinstance(line.value, ast.Constant)
    }


@settings(slow, max_examples=150)
@given(question=st.sampled_from(["project_name", "package", "description", "author", "email"]), answer=anything)
def test_any_text_reads_back_equal_or_is_refused(answers_template: Path, question: str, answer: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = project_in(folder)
        sentence = refusal(answers_template, {question: answer})
        if sentence:
            assert re.search(rf"for question '{question}': .*\btype\b", sentence)
        else:
            render(answers_template, project, {question: answer})
            assert read_back(project, parse_all(project))[question] == answer


WRONG_NAMES = [
    "", " ", "-", "a-", "-a", "a--b", "1a", "A", "My Project", "a_b", "a.b", "a/b", "../a", "/a", "a\\b", "a\n",
    "a\0", "é", "{{ 7*7 }}", "na:me", "a" * 41, "torch", "import", "match", "test", "json", "src", "con", "lpt1",
    "pip", "uv", "nox", "annotationlib", "py-compile", "pytest-cov", "hf-xet", "activate",
]  # fmt: skip
WRONG: dict[str, list[Any]] = {
    "project_name": WRONG_NAMES,
    "package": [*(name for name in WRONG_NAMES if name != "a_b"), "_a", "a-b", "None"],
    "description": ["", " x", "x ", "x" * 201, *(f"x{character}y" for character in REFUSED_CHARACTERS)],
    "author": [" ", "x ", "x" * 101, *(f"x{character}y" for character in REFUSED_CHARACTERS)],
    "email": [
        "x",
        "@",
        "a@b",
        "a@b.c d",
        "a b@c.d",
        "a@b.c\n",
        "A <a@b.c>",
        "a@-b.c",
        "a..b@c.d",
        ".a@b.c",
        "é@b.c",
        "a@b..c",
    ],
    "budget_parameters": ["", "0", "0.0", "-1", "1e3", "inf", "nan", "12x", "007", "1,5", "1000000", "1\n", "١٢"],
    "budget_vram": ["", "0", "-1", "24 GB"],
    "budget_latency": ["", "0.000", "ten"],
    "base_other": [
        "",
        "Qwen",
        "Qwen/",
        "/x",
        "a/b/c",
        "https://huggingface.co/Qwen/Qwen3-8B",
        "Qwen/Qwen3 8B",
        "../x",
        "a/b\n",
    ],
}


NEEDED = {
    "base_other": {"family": "qwen", "base_model": "other"},
    "adapter": {"family": "qwen", "gpu": "A100-80", "base_model": "Qwen/Qwen3-4B-Instruct-2507"},  # which fits all
}


@pytest.mark.parametrize(("question", "answer"), [(name, answer) for name, wrong in WRONG.items() for answer in wrong])
def test_wrong_answers_are_refused_with_a_sentence(questions: Path, question: str, answer: str) -> None:
    sentence = refusal(questions, NEEDED.get(question, {}) | {question: answer})
    assert re.search(rf"Validation error for question '{question}': .*\btype\b", sentence)


@pytest.mark.parametrize("question", [name for name in ASKED if "choices" in ASKED[name]])
@pytest.mark.parametrize("answer", ["", "x", "MIT\n", "../x", "{{ 7*7 }}"])
def test_what_is_not_among_the_choices_is_refused_and_they_are_listed(
    questions: Path, question: str, answer: str
) -> None:
    given = {question: [answer] if ASKED[question].get("multiselect") else answer}
    sentence = refusal(questions, NEEDED.get(question, {}) | given)
    assert f"'{question}'" in sentence
    assert all(repr(choice) in sentence for choice in choices(question))


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_worked_out_cannot_be_answered(questions: Path, name: str) -> None:
    assert f"'{name}': leave this out" in refusal(questions, {name: "true"})


@pytest.mark.parametrize("question", ASKED)
def test_every_question_has_help_and_a_default_that_is_valid(questions: Path, tmp_path: Path, question: str) -> None:
    assert ASKED[question]["help"].endswith(("?", ".")) or ASKED[question]["help"].count("?")
    used = render(questions, tmp_path / "one")
    assert render(questions, tmp_path / "two", {question: used[question]})[question] == used[question]


def test_few_are_asked() -> None:
    shown = [name for name, details in ASKED.items() if details.get("ask", True) is True]
    of_both = ["project_name", "description", "author", "email", "license", "advanced"]
    defaults = {name: details.get("default") for name, details in ASKED.items()}
    for family, own in (
        ("pytorch", ["architecture"]),
        ("qwen", ["base_model", "agent_task", "gpu", "adapter", "notebooks"]),
    ):
        assert [name for name in shown if applies(name, defaults | {"family": family})] == ["family", *own, *of_both]


folder_names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=60
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 250)


@settings(slow, max_examples=60)
@given(
    name=folder_names
    | st.sampled_from(sorted(RESERVED))
    | st.sampled_from(["2024", "a" * 80, "-", "Ä", "日本語", "Torch"])
)
def test_the_default_name_is_valid_for_every_folder(questions: Path, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        used = render(questions, Path(folder, name))
    assert refusal(questions, {key: used[key] for key in ("project_name", "package")}) == ""


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("seedbed-demo", "seedbed-demo"),
        ("My Model_v2", "my-model-v2"),
        ("test", "test-project"),
        ("2024", "project-2024"),
    ],
)
def test_the_name_comes_from_the_folder(questions: Path, tmp_path: Path, folder: str, name: str) -> None:
    used = render(questions, tmp_path / folder)
    assert (used["project_name"], used["package"]) == (name, name.replace("-", "_"))


def test_names_of_the_language_and_its_library_are_reserved() -> None:
    words = {word.lower() for word in [*keyword.kwlist, *keyword.softkwlist, *sys.stdlib_module_names]}
    assert {word for word in words if re.fullmatch(r"[a-z][a-z0-9_]*", word)} <= RESERVED


@pytest.mark.parametrize(
    "answers",
    [*({"tracker": tracker} for tracker in choices("tracker")), *(VARIANTS[name] for name in ("dbbench", "alfworld"))],
    ids=str,
)
def test_names_of_dependencies_are_reserved(template: Path, tmp_path: Path, answers: dict[str, Any]) -> None:
    render(template, tmp_path / "own", answers)
    parsed = parse_all(tmp_path / "own")
    pyproject = parsed["pyproject.toml"]
    groups = [entry for group in pyproject["dependency-groups"].values() for entry in group if isinstance(entry, str)]
    required = [*pyproject["project"]["dependencies"], *groups]
    distributions = {re.split(r"[^\w-]", requirement)[0].replace("-", "_") for requirement in required}
    modules = [module for module in parsed.values() if isinstance(module, ast.Module)]
    imported = {name.split(".")[0] for module in modules for node in ast.walk(module) for name in imports(node)}
    own = {"own", *(Path(path).stem for path in parsed)}
    assert distributions | (imported - own - {"__future__"}) <= RESERVED


def imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []


def test_the_command_line_refuses_with_the_sentence_too(answers_template: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--data=package=torch", str(answers_template), "x"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert (
        "torch is taken by Python, a dependency or a command; type another name, such as torch_project" in result.stderr
    )
    assert not (tmp_path / "x").exists()


def test_a_data_file_answers_too(answers_template: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text(
        yaml.safe_dump({"tracker": "mlflow", "budget_vram": 6, "python_version": 3.12})
    )
    command = [
        sys.executable,
        "-m",
        "copier",
        "copy",
        "--defaults",
        "--data-file=answers.yml",
        str(answers_template),
        "x",
    ]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    recorded = yaml.safe_load((tmp_path / "x" / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert [recorded[key] for key in ("tracker", "budget_vram", "python_version")] == ["mlflow", "6", "3.12"]
