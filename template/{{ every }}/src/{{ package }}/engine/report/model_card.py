"""MODEL_CARD.md, in the format of the Hugging Face Hub. Every number in it is quoted from results.json.

What a person wrote into a run's card stays when the report is written again: of the card that is there, only the parts
in `MEASURED` are replaced, and parts that it lacks are added.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
    """The card as it is where nobody has written into one: model_card.md.j2, filled in."""
    jinja = Environment(  # noqa: S701 - Markdown
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True
    )
    jinja.filters |= {"yaml": quoted, "figure": lambda value: "none" if value is None else f"{value:.4f}"}
    fields = evaluation.hub_fields()
    if "base_model" not in fields:  # what was made from a model has that one's licence
        fields = licence() | fields
    source = dataset(evaluation.environment["data"])
    return jinja.get_template("model_card.md.j2").render(
        package=PACKAGE,
        fields=fields,
        source=source,
        slug="-".join(re.findall(r"[a-z0-9]+", source.lower())) or "data",
        environment=evaluation.environment,
        results=results,
        trained=evaluation.trained(results),
    )


def licence() -> dict[str, str]:
    """The project's licence for the Hub; nothing where the project's own folder is not there to ask."""
    if not PYPROJECT.is_file():
        return {}
    name = str(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"].get("license", "")).lower()
    return {"license": name} if name in LICENSES else {"license": "other", "license_name": name}


def dataset(data: str) -> str:
    """What the lock calls the data, without the folders of the machine that they lie on."""
    source, _ = locked(data)
    return re.split(r"[\\/]", source.rstrip("\\/"))[-1] or "data"


def quoted(value: Any) -> str:
    """A value as YAML has it: as JSON has it, without what YAML forbids."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
