"""What a run was: its cost and data, what was checked, where it was made, and by which code."""

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from ...splits.splits import Entry
from .blocks import cell, columns, figure, folded, note, number, pairs, section, spaced, table
from .markup import Part, element
from .material import Material

FILES = 20
"""So many files of the data are listed; the lock has them all."""


def cost(material: Material) -> Element:
    """Size, speed and budgets."""
    performance, budgets = material.results["performance_metrics"], material.results["budgets"]
    measured = [[spaced(name), cell(value)] for name, value in performance.items()]
    rows: list[Sequence[Part]] = [
        [spaced(name), cell(one["allowed"]), cell(one["measured"]), kept(one)] for name, one in budgets.items()
    ]
    return section(
        "cost",
        "Size, speed and budgets",
        columns(
            table("This model, on the device of the report", ["what", "measured"], measured),
            table("Budgets of the preset full", ["what", "allowed", "measured", "outcome"], rows),
        ),
        note("On a GPU, the command check measures memory and latency of the preset full."),
    )


def kept(budget: dict[str, Any]) -> str | None:
    """Whether a budget is kept, within the 5 % that tests/test_budgets.py allows."""
    if budget["measured"] is None:
        return None
    share = budget["measured"] / budget["allowed"]
    return f"{'kept' if abs(share - 1) <= 0.05 else 'missed'}: {share:.1%}"


def data(material: Material) -> Element:
    """What the data were, and how often their test split was opened."""
    facts = {
        "source": material.source or "not in data.lock.json",
        "files": number(len(material.files)),
        "hash": material.environment["data"],
    }
    uses = material.results["validation"]["sealed_test_uses"]
    opened = [
        element("h3", "The sealed test split"),
        element("p", "Times that it was opened for these data: ", number(uses)),
    ]
    return section("data", "Data", pairs(facts), rows_of_files(material), opened, looks(material))


def rows_of_files(material: Material) -> list[Element]:
    """How many rows of each file lie in each split."""
    files = material.files
    splits = list(files[0].rows) if files else []
    rows = [
        [file.path, number(file.bytes), *(number(file.rows[split]) for split in splits)]
        for file in (sum_of(files, splits), *files[:FILES])
    ]
    shown = table("Rows of each file in each split", ["file", "bytes", *splits], rows)
    left_out = len(files) - FILES
    return [shown, note(f"{left_out} more files are in data.lock.json.")] if left_out > 0 else [shown]


def sum_of(files: list[Entry], splits: list[str]) -> Entry:
    """All files as one."""
    rows = {split: sum(file.rows[split] for file in files) for split in splits}
    return Entry("all", sum(file.bytes for file in files), "", rows)


def looks(material: Material) -> Element | None:
    """Every look at the test split, and what was seen."""
    rows: list[Sequence[Part]] = []
    for entry in material.openings:
        name, values = next(iter(entry["results"].items()))
        ends = " to ".join(f"{end:.3f}" for end in values["ci95"] or ()) or "none"
        rows.append([entry["time"], entry["run"], spaced(name), figure(values["value"]), ends])
    head = ["time", "run", "metric", "value", "95 % interval"]
    return table("Looks at the test split", head, rows) if rows else None


def checks(material: Material) -> Element:
    """What was confirmed of this result."""
    rows = [[spaced(name), cell(value)] for name, value in flat(material.results["validation"])]
    about = note("The command report --with-tests runs the tests of the project.")
    return section("checks", "Checks", table("What was checked", ["what", "outcome"], rows), about)


def environment(material: Material) -> Element:
    """Where the run was made, and how it was configured."""
    places = [[spaced(name), cell(value)] for name, value in material.environment.items() if name != "packages"]
    settings = [[name, cell(value)] for name, value in flat(material.config)]
    packages = [[name, version] for name, version in material.environment["packages"].items()]
    return section(
        "environment",
        "Environment and configuration",
        folded("Configuration", table("Fields of the configuration", ["field", "value"], settings)),
        folded("Environment", table("Where the run was started", ["what", "value"], places)),
        folded(f"{len(packages)} packages", table("Installed packages", ["package", "version"], packages)),
    )


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a configuration by their whole name."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def code(material: Material) -> Element:
    """The modules and tests of the project, and their sizes."""
    files = material.results["deliverables"]["code_files"]
    rows = [[file["path"], file["description"], number(file["loc"]), cell(file["tested"])] for file in files]
    modules = table("Modules", ["file", "what it is", "lines", "tested"], rows)
    heading = f"{len(rows)} modules, {sum(file['loc'] for file in files):,} lines"
    return section("code", "Code", folded(heading, modules), tests(material))


def tests(material: Material) -> Element:
    """The test files, and what they cover."""
    files = material.results["deliverables"]["tests"]
    rows = [[file["path"], cell(file["coverage"]), cell(file["all_passing"])] for file in files]
    return folded(f"{len(rows)} test files", table("Tests", ["file", "coverage in %", "all passing"], rows))
