"""The command `diagnose`."""

from dataclasses import dataclass

from tyro.conf import Positional

from .common import opened


@dataclass(frozen=True, kw_only=True)
class Diagnose:
    """Name what is wrong with a run, finished or not, with the evidence and the remedy; exit code 1 if something is."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print diagnosis.json."""

    def __call__(self) -> None:
        from ..diagnosis.diagnose import diagnose, page
        from ..training.seeding import be_deterministic

        be_deterministic()
        run, config = opened(self.run)
        findings, text = diagnose(run, config)
        print(text if self.json else "\n".join(page(run, findings)))
        if findings:
            raise SystemExit(1)
