"""report.html: what a run has shown, on one page that needs nothing else.

Every number on it is quoted: from results.json and metrics.jsonl, or, where nothing is measured (the configuration, the
environment, the data's lock, the ledger), from the file that records it. The page holds no script, and forbids itself
to load anything.

    material    what the page is made from
    results     what the run has shown: verdict, curves, examples, classes
    facts       what it was: cost, data, checks, environment, code
    charts      curves and dots as SVG
    blocks      sections, tables, figures
    markup      elements of HTML
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from ...core.files import write_atomically
from .blocks import duration, number, pairs
from .facts import checks, code, cost, data, environment
from .markup import document, element
from .material import Material, gather
from .results import classes, confidence, curves, examples, picture, verdict

if TYPE_CHECKING:
    from ...evaluation.evaluation import Evaluation

STYLE = Path(__file__).with_name("style.css")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
PARTS: tuple[Callable[[Material], Element | None], ...] = (
    verdict,
    curves,
    examples,
    classes,
    confidence,
    picture,
    cost,
    data,
    checks,
    environment,
    code,
)
"""The sections in their order; one that has nothing to show is None."""


def write(evaluation: "Evaluation", results: dict[str, Any]) -> None:
    """Write report.html beside the files that it quotes."""
    write_atomically(evaluation.run / "report" / "report.html", html(gather(evaluation, results)))


def html(material: Material) -> str:
    """The page."""
    sections = [section for part in PARTS if (section := part(material)) is not None]
    links = [element("li", element("a", section[0].text, href=f"#{section.get('id')}")) for section in sections]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", f"{material.project}, run {material.results['run']}"),
        element("style", STYLE.read_text(encoding="utf-8")),
    )
    navigation = element("nav", element("ul", links), aria_label="Sections")
    page = element("div", navigation, element("main", sections), class_="page")
    return document(element("html", head, element("body", header(material), page, footer()), lang="en"))


def header(material: Material) -> Element:
    """Which run this is."""
    results, environment = material.results, material.environment
    times = [line["timing/time"] for line in material.history if "timing/time" in line]
    facts = {
        "status": results["status"],
        "trained": f"{datetime.fromtimestamp(times[-1], UTC):%d %B %Y, %H:%M} UTC" if times else None,
        "took": duration(times[-1] - times[0]) if times else None,
        "steps": number(results["steps"]),
        "parameters": number(results["performance_metrics"]["parameter_count"]),
        "device": f"{environment['hardware']}, {results['performance_metrics']['precision']}",
        "commit": (environment["commit"] or "unknown")[:12],
    }
    return element(
        "header",
        element("p", material.project, class_="eyebrow"),
        element("h1", results["run"]),
        pairs(facts),
    )


def footer() -> Element:
    """Where the numbers come from."""
    told = "The figures are those of results.json, beside this page, and of metrics.jsonl, in the run's folder."
    return element("footer", element("p", told))
