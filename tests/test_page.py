"""report.html and MODEL_CARD.md of real runs, read by a browser, a strict parser and the Hub's own library."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import html5lib
import pytest
from huggingface_hub import ModelCard
from rendering import render

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HEADLESS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=5000"),
]
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium: install it (apt-get install chromium)")
HOSTILE = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title = 'taken over'\">"
AGAIN = """
import json, sys, time
from pathlib import Path
from {package}.engine.core.runs import load_config
from {package}.engine.evaluation.evaluation import Evaluation
from {package}.engine.report.contents import WRITERS
from {package}.presets import Config

run, hostile = Path(sys.argv[1]), Path(sys.argv[2])
config = load_config(run, Config)
evaluation = Evaluation(run, config, config.task())
results = json.loads((run / "report" / "results.json").read_text(encoding="utf-8"))
evaluation.samples = sys.argv[3]
page = run / "report" / "report.html"
before = page.read_text(encoding="utf-8")
begun = time.process_time()
WRITERS[-1](evaluation, results)  # reads the data
start = time.process_time()
WRITERS[-1](evaluation, results)
print((time.process_time() - start) / begun)
hostile.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
page.write_text(before, encoding="utf-8")
"""
"""Makes the page again, of a model that says something hostile, and prints its share of the time to import PyTorch."""


def texts(folder: Path) -> Path:
    """A small text, whose baselines are computed at once."""
    words = ["one", "two", "three", "many", "fish", "boats", "swim", "sail"]
    lines = [f"{words[i % 8]} {words[i * i % 7]} {words[i // 3 % 8]} {i % 10}" for i in range(4000)]
    file = folder / "numbers and fish.jsonl"
    documents = [json.dumps({"text": "\n".join(lines[start : start + 40])}) for start in range(0, len(lines), 40)]
    file.write_text("\n".join(documents), encoding="utf-8")
    return file


class Project:
    """A rendered project and its run of the preset smoke."""

    def __init__(self, template: Path, folder: Path, architecture: str) -> None:
        self.package, self.folder = f"{architecture}_demo", folder / f"{architecture}-demo"
        render(template, self.folder, {"architecture": architecture})
        options = [f"--data.path={texts(folder)}"] if architecture == "transformer" else []
        self.python("-m", self.package, "train", "smoke", *options)
        [self.run] = (self.folder / "runs").iterdir()

    def python(self, *words: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(self.folder / "src")}
        command = [sys.executable, *words]
        result = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, encoding="utf-8", check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    @property
    def page(self) -> Path:
        return self.run / "report" / "report.html"

    @property
    def results(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.run / "report" / "results.json").read_text(encoding="utf-8"))
        return loaded


@pytest.fixture(scope="module", params=["transformer", "blank"])
def project(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(template, tmp_path_factory.mktemp("page"), request.param)


def browse(page: Path, *options: str) -> str:
    """What the browser says of a page; the window and the preferred colours are among the options."""
    with tempfile.TemporaryDirectory() as profile:
        command = [str(BROWSER), *HEADLESS, f"--user-data-dir={profile}", *options, page.as_uri()]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=120).stdout


def test_a_strict_parser_finds_nothing_wrong(project: Project) -> None:
    text = project.page.read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(text)
    with pytest.raises(html5lib.html5parser.ParseError):
        html5lib.HTMLParser(strict=True).parse(text.replace("</section>", "", 1))


@needs_browser
def test_a_browser_shows_every_metric(project: Project) -> None:
    shown = browse(project.page, "--dump-dom")
    for metric in project.results["metrics"].values():
        for value in (metric["value"], *(metric["ci95"] or []), *metric["baselines"].values()):
            assert f'<data value="{value!r}">{value:.3f}</data>' in shown
    assert shown.count("<section") == project.page.read_text(encoding="utf-8").count("<section") > 7


@needs_browser
@pytest.mark.parametrize("width", [400, 1400])
def test_no_part_is_wider_than_the_window(project: Project, tmp_path: Path, width: int) -> None:
    """The page itself forbids scripts, so a copy that allows one measures itself."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", project.page.read_text(encoding="utf-8"))
    script = "<script>document.title = 'wide ' + (document.documentElement.scrollWidth - innerWidth)</script></body>"
    (tmp_path / "copy.html").write_text(text.replace("</body>", script), encoding="utf-8")
    # A window is never narrower than 500; a frame is.
    frame = f'<iframe src="copy.html" style="width: {width}px; height: 900px"></iframe>'
    tell = "<script>onload = () => document.title = frames[0].document.title</script>"
    (tmp_path / "frame.html").write_text(f"<!doctype html><title></title>{frame}{tell}", encoding="utf-8")
    shown = browse(tmp_path / "frame.html", "--dump-dom", "--allow-file-access-from-files", "--window-size=1600,1000")
    assert "<title>wide 0</title>" in shown


@needs_browser
def test_what_a_model_says_is_never_run_and_costs_less_than_to_import_pytorch(project: Project, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.html"
    script = AGAIN.format(package=project.package)
    assert float(project.python("-c", script, str(project.run), str(hostile), HOSTILE)) < 1
    shown = browse(hostile, "--dump-dom")
    assert "&lt;script&gt;document.title" in shown and "<script" not in shown
    assert "<title>taken over</title>" not in shown
    (tmp_path / "unsafe.html").write_text(f"<!doctype html><title>x</title>{HOSTILE}", encoding="utf-8")
    assert "<title>taken over</title>" in browse(tmp_path / "unsafe.html", "--dump-dom")


def test_the_hub_reads_the_card(project: Project) -> None:
    card = ModelCard.load(project.run / "report" / "MODEL_CARD.md")
    kind = {"transformer_demo": "text-generation", "blank_demo": "image-classification"}[project.package]
    assert (card.data.license, card.data.library_name, card.data.pipeline_tag) == ("mit", "pytorch", kind)
    assert card.data.model_name == project.package and len(card.data.tags) == 1
    measured = {result.metric_type: result.metric_value for result in card.data.eval_results}
    quoted = {name: pytest.approx(metric["value"], abs=1e-6) for name, metric in project.results["metrics"].items()}
    assert measured == quoted
    [place] = {(r.task_type, r.dataset_split, r.dataset_name) for r in card.data.eval_results}
    assert place[:2] == (kind, "validation") and place[2] in json.dumps(list(lock(project)), ensure_ascii=False)
    # What the library writes is read as the same again.
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()


def lock(project: Project) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((project.folder / "data.lock.json").read_text(encoding="utf-8"))
    return loaded
