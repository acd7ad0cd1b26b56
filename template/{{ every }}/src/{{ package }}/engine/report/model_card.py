"""MODEL_CARD.md, in the format of the Hugging Face Hub. Every number in it is quoted from results.json.

What a person wrote into a run's card stays when the report is written again: of the card that is there, only the parts
in `MEASURED` are replaced, and parts that it lacks are added.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.files import write_atomically
from ..splits.splits import locked

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation

PACKAGE = __name__.partition(".")[0]
PYPROJECT = Path(__file__).parents[4] / "pyproject.toml"
MEASURED = {"model-index:", "## Training", "## Evaluation on the validation split"}
FIELD, SECTION = r"[\w-]+:", r"## .*"
"""How a field of the metadata and a section of the text begin."""
LICENSES = ("mit", "apache-2.0", "bsd-3-clause")
"""What the Hub calls as the project does, but for upper case; any other is `other`, with its name beside it."""
OWNER = {
    "Intended use": "what the model is for, who may rely on it, and what it must not be used for.",
    "Assumptions": "what has to hold of an input, and of those who use the output, for the figures above to apply.",
    "Limitations": "where the model fails, and for whom it was not tested.",
    "Licence of the data": "where the data come from, and what their licence allows.",
    "Personal data and bias": "whether the data are about people, who agreed to it, and who is missing from them.",
}
"""What nothing can measure."""


def write(evaluation: "Evaluation", results: dict[str, Any]) -> None:
    """Write the card, around what a person has written into the one that is there."""
    file = evaluation.run / "report" / "MODEL_CARD.md"
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    (old_fields, old_sections), (fields, sections) = divided(before), divided(card(evaluation, results))
    metadata = "".join(f"{part}\n" for part in merged(old_fields, fields))
    text = "\n".join(f"{part}\n" for part in merged(old_sections, sections))
    write_atomically(file, f"---\n{metadata}---\n\n{text}")


def divided(text: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The fields of a card's metadata, and the sections of its text."""
    found = re.match(r"---\n(.*?)^---\n(.*)", text, re.DOTALL | re.MULTILINE)
    metadata, body = found.groups() if found else ("", text)
    return parts(metadata, FIELD), parts(body, SECTION)


def parts(text: str, beginning: str) -> list[tuple[str, str]]:
    """A text cut at the lines that begin in this way; each part with that beginning, "" for what comes before them."""
    found = []
    for part in re.split(rf"^(?={beginning})", text, flags=re.MULTILINE):
        begins = re.match(beginning, part)
        if part.strip():
            found.append((begins.group().rstrip() if begins else "", part.strip()))
    return found


def merged(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[str]:
    """The old parts, with those measured anew in their place, and then the new ones that were not there."""
    fresh, known = dict(new), {name for name, _ in old}
    kept = [fresh.get(name, part) if name in MEASURED else part for name, part in old]
    return kept + [part for name, part in new if name not in known]


def card(evaluation: "Evaluation", results: dict[str, Any]) -> str:
    """The card as it is where nobody has written into one."""
    asked = [f"## {title}\n\nTo be written by the owner: {question}\n" for title, question in OWNER.items()]
    texts = [
        f"---\n{metadata(evaluation, results)}\n---\n",
        f"# {PACKAGE}, run {results['run']}\n",
        training(evaluation, results),
        "\n".join(metrics(results)),
        *asked,
    ]
    return "\n".join(texts)


def metadata(evaluation: "Evaluation", results: dict[str, Any]) -> str:
    """What the Hub reads: https://huggingface.co/docs/hub/model-cards#model-card-metadata."""
    kind, fields = evaluation.pipeline, evaluation.hub_fields()
    lines = [
        *([] if "base_model" in fields else license_lines()),  # what was made from a model has that one's licence
        *([f"pipeline_tag: {kind}"] if kind else []),
        *(f"{name}: {json.dumps(value)}" for name, value in fields.items()),
        "model-index:",
        f"- name: {quoted(PACKAGE)}",
        "  results:",
        "  - task:",
        f"      type: {kind or 'other'}",
        "    dataset:",
        *dataset_lines(evaluation.environment["data"]),
        "    metrics:",
    ]
    for name, metric in results["metrics"].items():
        lines += [f"    - type: {quoted(name)}", f"      value: {shown(metric['value'], 6, '.nan')}"]
    return "\n".join(lines)


def license_lines() -> list[str]:
    """The project's licence; nothing where the project's own folder is not there to ask."""
    if not PYPROJECT.is_file():
        return []
    name = str(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"].get("license", "")).lower()
    return [f"license: {name}"] if name in LICENSES else ["license: other", f"license_name: {quoted(name)}"]


def dataset_lines(data: str) -> list[str]:
    """The data by the name in their lock, without the folders of the machine that they lie on."""
    source, _ = locked(data)
    name = re.split(r"[\\/]", source.rstrip("\\/"))[-1] or "data"
    slug = "-".join(re.findall(r"[a-z0-9]+", name.lower()))
    lines = [f"type: {slug or 'data'}", f"name: {quoted(name)}", "split: validation", f"revision: {quoted(data)}"]
    return [f"      {line}" for line in lines]


def quoted(text: str) -> str:
    """A text as YAML has it: as JSON has it, without what YAML forbids."""
    printable = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return json.dumps(printable, ensure_ascii=False)


def training(evaluation: "Evaluation", results: dict[str, Any]) -> str:
    """What somebody needs to know to repeat the run."""
    environment = evaluation.environment
    return (
        f"## Training\n\n{evaluation.trained(results)}; commit {environment['commit'] or 'unknown'}. "
        f"Hash of the data: `{environment['data']}`.\n"
    )


def metrics(results: dict[str, Any]) -> list[str]:
    """Every metric beside its baselines, and how far it can be believed."""
    lines = [
        "## Evaluation on the validation split",
        "",
        "| metric | value | 95 % interval | n | better is |",
        "|---|---|---|---|---|",
    ]
    for name, metric in results["metrics"].items():
        ci95 = " to ".join(map(shown, metric["ci95"] or ()))
        better = "higher" if metric["higher_is_better"] else "lower"
        lines.append(f"| {name} | {shown(metric['value'])} | {ci95} | {metric['n'] or ''} | {better} |")
        lines += [f"| baseline: {baseline} | {shown(value)} | | | |" for baseline, value in metric["baselines"].items()]
    return [
        *lines,
        "",
        "Choices were made by the validation split, so these figures are a little optimistic. The sealed test "
        f"split of these data was opened {results['validation']['sealed_test_uses']} times.",
        "",
        shared(results["validation"]["leakage"]),
        "",
    ]


def shown(value: float | None, digits: int = 4, missing: str = "none") -> str:
    """A number of results.json, which has None for one that is not finite."""
    return missing if value is None else f"{value:.{digits}f}"


def shared(leakage: dict[str, Any]) -> str:
    """What the splits have in common, in a sentence."""
    compared = ", ".join(f"{count} {split}" for split, count in leakage["compared"].items())
    return f"Examples that two splits share: {len(leakage['found'])} ({compared}; {leakage['rule']})."
