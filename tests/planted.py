"""The table of planted faults in docs/diagnose.md: README.md sums it up, `test_diagnose.py` holds it to reality."""

import re
from typing import NamedTuple

from rendering import ROOT


class Fault(NamedTuple):
    """A fault, and what the page says that `diagnose` says of it."""

    name: str
    said: str
    besides: set[str]
    """What may be said as a consequence."""


def planted() -> list[Fault]:
    """Every row of the table."""
    page = (ROOT / "docs" / "diagnose.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|([^|]*)\|$", page, re.MULTILINE)[1:]
    return [Fault(name, said.strip(), {part.strip() for part in may.split(",")} - {""}) for name, said, may in rows]


def summary() -> list[tuple[str, str]]:
    """Each finding, and the faults that it was said of, with semicolons between them."""
    faults = planted()
    findings = dict.fromkeys(fault.said for fault in faults)
    return [(said, "; ".join(fault.name for fault in faults if fault.said == said)) for said in findings]
