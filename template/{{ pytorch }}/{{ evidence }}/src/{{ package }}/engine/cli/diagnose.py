"""The command that says what is wrong with a run."""

from dataclasses import dataclass

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class Diagnose:
    """Name what is wrong with a run, finished or not, with the evidence and the remedy; exit code 1 if something is."""

    run: Positional[str | None] = None
    """The run folder; the latest where none is named."""
    json: bool = False
    """Print diagnosis.json."""

    def __call__(self) -> None:
        from ..diagnosis.diagnose import diagnose, page
        from ..core.runs import find
        from ..training.seeding import be_deterministic

        be_deterministic()
        run = find(self.run)
        findings, text = diagnose(run)
        print(text if self.json else "\n".join(page(run, findings)))
        if findings:
            raise SystemExit(1)
