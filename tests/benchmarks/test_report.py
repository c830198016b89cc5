"""The report as a whole: what is written, where, and that everything in it can be read."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import msgspec
import pytest
from made_up_runs import DELAYS, failure, made_run, measurement, plausible_run
from wsiweb_benchmarks import report
from wsiweb_benchmarks.model import Run

VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = "a | b <script>alert(1)</script> & *c* _d_ `e` [f](g) # \\ $k^ $ 'h' \"i\"\n\n- j"


class Page(HTMLParser):
    """Refuses a page whose elements are not closed in order; keeps what is in it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.texts = [], [], {}, []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.setdefault(tag, []).append(dict(attributes))
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    run = plausible_run()
    return run, folder, report.write(run, folder)


def test_examples_in_docstrings_run():
    for one in pkgutil.iter_modules(report.__path__, f"{report.__name__}."):
        assert doctest.testmod(importlib.import_module(one.name)).failed == 0


def test_all_files_are_named_and_there(written):
    _, folder, paths = written
    assert set(paths) == {path for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path in paths[:3]] == [
        "benchmarks.md",
        "benchmarks.html",
        "benchmarks.json",
    ]


def test_the_json_beside_it_is_the_run(written):
    run, folder, _ = written
    assert msgspec.json.decode((folder / "benchmarks.json").read_bytes(), type=Run) == run


def test_the_same_run_gives_the_same_bytes(written, tmp_path):
    run, folder, paths = written
    report.write(run, tmp_path)
    for path in paths:
        assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_the_html_needs_nothing_else_and_can_be_heard(written):
    page = Page((written[1] / "benchmarks.html").read_text())
    assert not {"script", "link", "img", "iframe"} & page.tags.keys()
    assert len(page.ids) == len(set(page.ids))
    drawings = [one for one in page.tags["svg"] if one.get("role") == "img"]
    assert len(drawings) == len(page.tags["svg"]) == len(page.tags["figure"])
    assert all(len(one["aria-label"]) > 40 for one in drawings)
    assert len(page.tags["caption"]) == len(page.tags["table"])
    assert {one.get("scope") for one in page.tags["th"]} == {"row", "col"}
    targets = {one["href"] for one in page.tags["a"]}
    assert targets <= {f"#{name}" for name in page.ids}


def test_references_inside_drawings_lead_to_their_own_drawing(written):
    text = (written[1] / "benchmarks.html").read_text()
    page = Page(text)
    uses = [one.get("xlink:href") for one in page.tags.get("use", [])]
    clips = [one["clip-path"][4:-1] for one in page.tags["g"] if "clip-path" in one]
    assert {one for one in [*uses, *clips] if one} <= {f"#{name}" for name in page.ids}
    assert "#ffffff" not in text.partition("</head>")[2]  # or the page cannot be dark


def test_the_drawings_are_xml_without_a_date(written):
    drawn = [path for path in written[2] if path.suffix == ".svg"]
    assert {path.stem for path in drawn} >= {"latency", "memory", "bars-open", "bars-loop-grid"}
    for path in drawn:
        ET.parse(path)
        assert "dc:date" not in path.read_text()
        assert f"(benchmarks/{path.name})" in (written[1] / "benchmarks.md").read_text()


def test_the_markdown_builds_strictly(written, tmp_path):
    pytest.importorskip("mkdocs")
    (tmp_path / "docs").mkdir()
    run, *_ = written
    report.write(run, tmp_path / "docs")
    report.compare(run, run, tmp_path / "docs")
    (tmp_path / "docs" / "index.md").write_text("# x\n\n[y](benchmarks.md), [z](comparison.md)\n")
    (tmp_path / "mkdocs.yml").write_text(
        "site_name: x\ntheme: mkdocs\nmarkdown_extensions: [tables]\n"
    )
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "site" / "benchmarks").glob("*.svg"))) == 11


def test_the_head_says_where_with_what_and_how(written):
    run, folder, _ = written
    for name in ("benchmarks.md", "benchmarks.html"):
        whole = (folder / name).read_text()
        for said in (run.date, run.machine.processor, "2 cores", "25.3 GB", run.command):
            assert said in whole


EDGES = {
    "one way": [measurement("open", "delay-0", "wsiweb/fast", 0, 1.0)],
    "no reference": [
        measurement("open", "delay-0", way, repeat, 1.0)
        for way in ("wsiweb/fast", "wsidicom/fast")
        for repeat in range(3)
    ],
    "only the reference": [measurement("open", "delay-0", "reference/fast", 0, 1.0)],
    "only the transport": [measurement("open", "delay-0", "reference/transport", 0, 1.0)],
    "all failed": [
        failure("open", "delay-0", way, HOSTILE) for way in ("wsiweb/fast", "wsidicom/naive")
    ],
    "unknown names": [
        measurement(HOSTILE, f"delay-{HOSTILE}", f"{HOSTILE}/fast", 0, 1.0, slide=HOSTILE),
        measurement("../../etc", "own", "nobody", 0, 1.0, slide="x"),
    ],
    "no time at all": [
        measurement("open", "delay-0", way, 0, 0.0) for way in ("reference/fast", "wsiweb/fast")
    ],
    "one delay": [measurement("open", "delay-20", "wsidicom/fast", at, 0.1) for at in range(9)],
    "no repeat in common": [
        measurement("open", "delay-0", "wsiweb/fast", 0, 1.0),
        measurement("open", "delay-0", "reference/fast", 1, 1.0),
    ],
    "very far apart": [
        measurement("open", f"delay-{delay}", way, 0, wall)
        for delay in (0, 100)
        for way, wall in (("reference/fast", 1e-5), ("wsiweb/fast", 1e4))
    ],
}


@pytest.mark.parametrize("case", EDGES)
def test_whatever_is_in_a_run_is_reported(case, tmp_path):
    run = made_run(EDGES[case])
    for path in [*report.write(run, tmp_path), *report.compare(run, run, tmp_path)]:
        assert path.resolve().is_relative_to(tmp_path.resolve())
        if path.suffix == ".html":
            page = Page(path.read_text())
            assert "script" not in page.tags
            assert "nan" not in page.text.lower().replace("nanoseconds", "").split()
    assert report.summary(run)


def test_messages_are_shown_as_they_are(tmp_path):
    run = made_run(EDGES["all failed"])
    report.write(run, tmp_path)
    shown = " ".join(HOSTILE.split())
    assert shown in Page((tmp_path / "benchmarks.html").read_text()).text
    markdown = pytest.importorskip("markdown")
    text = markdown.markdown(
        (tmp_path / "benchmarks.md").read_text(), extensions=["tables", "fenced_code"]
    )
    assert shown in Page(text).text


def test_an_empty_run_says_so(tmp_path):
    run = made_run([])
    (page, whole, _) = report.write(run, tmp_path)
    for text in (page.read_text(), whole.read_text(), report.summary(run)):
        assert "no measurements" in text
    assert "no measurements" in report.compare(run, run, tmp_path)[0].read_text()


def test_the_summary_is_plain_and_says_the_verdict():
    said = report.summary(plausible_run(conditions=DELAYS[:2], slower={"wsiweb/fast": 2.0}))
    lines = said.splitlines()
    assert "falls short" in lines[1]
    assert lines[-1].startswith("Of 18 rows, ")
    assert "loop-grid · delay-20: 2." in said


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = made_run(EDGES["one way"])
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'wsiweb\[bench\]'"):
        report.write(run, tmp_path / "made")
    assert not (tmp_path / "made").exists()
    assert report.summary(run)


def test_matplotlib_is_imported_only_for_plots():
    code = "import sys, wsiweb_benchmarks.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
