"""report.html: what a run has shown, on one page that needs nothing else.

Every number on it is quoted: from results.json and metrics.jsonl, or, where nothing is measured (the configuration, the
environment, the data's lock, the ledger), from the file that records it. The page holds no script, and forbids itself
to load anything. What is put into it is escaped, whatever it holds.
"""

import base64
import inspect
import io
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..core.files import write_atomically
from ..splits import ledger
from ..splits.splits import locked
from ..statistics.metrics import Result, rounded
from ..task import MeasuresAtEnd, RendersExamples
from .charts import STYLE, history_charts, printable, standing, svg

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation

FOLDER = Path(__file__).parent


def write(evaluation: "Evaluation", results: dict[str, Any], template: str = "report.html.j2", **more: Any) -> None:
    """Write report.html beside the files that it quotes; `more` is what another template than the plain one needs."""
    page = html(gather(evaluation, results) | more, template)
    write_atomically(evaluation.run / "report" / "report.html", page)


def gather(evaluation: "Evaluation", results: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a run whose other files were written."""
    task, data = evaluation.task, evaluation.environment["data"]
    source, files = locked(data)
    methods = {"validation": task.figure} | ({"samples": task.final} if isinstance(task, MeasuresAtEnd) else {})
    captions = {name: (inspect.getdoc(method) or "").split("\n")[0] for name, method in methods.items()}
    drawn = {evaluation.run / "report" / f"{name}.png": caption for name, caption in captions.items()}
    shown = [entry["index"] for end in (results["examples"] or {}).values() for entry in end]
    return {
        "project": __name__.partition(".")[0],
        "results": results,
        "history": evaluation.history,
        "config": asdict(evaluation.config),
        "environment": evaluation.environment,
        "source": source,
        "files": files,
        "openings": [entry for entry in ledger.read() if entry["data"] == data],
        "said": evaluation.samples,
        "pictures": [(file.read_bytes(), caption) for file, caption in drawn.items() if file.exists()],
        "portraits": {index: task.render_example(index) for index in shown}
        if isinstance(task, RendersExamples)
        else {},
    }


def html(material: dict[str, Any], template: str = "report.html.j2") -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"spaced": spaced, "duration": duration, "flat": flat, "png": png, "uri": uri, "svg": svg}
    environment.filters["rounded"] = rounded
    metrics = {name: quoted(values) for name, values in material["results"]["metrics"].items()}
    page = environment.get_template(template).render(
        material,
        style=Markup(STYLE),  # noqa: S704
        metrics=metrics,
        standing=standing(next(iter(metrics.values()))),
        charts=history_charts(material["history"], metrics),
        times=times(material["history"]),
    )
    return printable(page)


def quoted(values: dict[str, Any]) -> Result:
    """A metric of results.json, whose baselines have names that can be drawn."""
    return Result.of(values | {"baselines": {printable(name): value for name, value in values["baselines"].items()}})


def png(image: np.ndarray) -> str:
    """A brightness or colours from 0 to 1 as an image inside the page."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, image, format="png", cmap="gray", vmin=0, vmax=1)
    return uri(file.getvalue())


def uri(image: bytes) -> str:
    """An image inside the page."""
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


def times(history: list[dict[str, Any]]) -> tuple[datetime, float] | None:
    """When the training ended, and how many seconds it took."""
    found = [line["timing/time"] for line in history if "timing/time" in line]
    return (datetime.fromtimestamp(found[-1], UTC), found[-1] - found[0]) if found else None


def duration(seconds: float) -> str:
    """A time span in the two units that matter."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def spaced(name: str) -> str:
    """A name of the code as words, with its unit behind a comma."""
    return re.sub(r" (ms|gb)$", lambda unit: f", {unit[1].replace('gb', 'GB')}", name.replace("_", " "))


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by their whole name."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
