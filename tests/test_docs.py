"""The documentation is run: its examples work and its promises are kept."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from pipelines import run_pipeline

import wsiweb
from wsiweb.server import serve

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_the_tutorial_runs(capsys):
    names = {}
    for block in _blocks(ROOT / "docs" / "tutorial.md"):
        exec(compile(block, "tutorial.md", "exec"), names)
    assert "files" in capsys.readouterr().out


def test_the_page_on_results_runs(capsys):
    names = {}
    for block in _blocks(ROOT / "docs" / "results.md"):
        exec(compile(block, "results.md", "exec"), names)
    assert "segmentation-1-2.25." in capsys.readouterr().out


def test_the_page_on_browsing_runs(made_folder):
    names = {}
    for block in _blocks(ROOT / "docs" / "browse.md"):
        exec(compile(block, "browse.md", "exec"), names)
    assert names["where"](made_folder).startswith("http://127.0.0.1:")


def test_every_option_of_browse_is_documented():
    from wsiweb.cli.browse import browse

    text = (ROOT / "docs" / "browse.md").read_text()
    for parameter in browse.params:
        for option in parameter.opts:
            assert not option.startswith("--") or option in text, option


def test_the_page_on_jupyter_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSIWEB_PROGRESS", "on")  # which the page changes
    names = {}
    for block in _blocks(ROOT / "docs" / "jupyter.md"):
        exec(compile(block, "jupyter.md", "exec"), names)
    names["view"]._screen = [400, 300]
    names["slide"]._view = names["view"]
    assert names["what_i_see"](names["slide"]).shape[2] == 3
    assert names["rows"][0]["study_uid"]


def test_the_how_to_guides_run(made_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in _blocks(ROOT / "docs" / "how-to.md"):
        exec(compile(block, "how-to.md", "exec"), names)
    assert names["read_something"](made_folder)
    assert names["read_from_a_bad_archive"](made_folder).any()
    (tmp_path / "archive").mkdir()
    assert names["send"](tmp_path / "archive", made_folder) == len(list(made_folder.iterdir()))
    assert "stored" in str(names["mend"](tmp_path / "archive"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert names["take_in"](made_folder) == (len(list(made_folder.iterdir())), 0, [])
    (tmp_path / "other").mkdir()
    with wsiweb.connect(made_folder) as archive:
        study = archive.studies()[0].study_uid
    assert names["bring"]("local", tmp_path / "other", study) == len(list(made_folder.iterdir()))
    with wsiweb.connect(made_folder) as archive:
        import asyncio

        assert len(asyncio.run(names["corners"](archive.slides()[0].open()))) == 2


def test_the_readme_runs(made_server):
    block, *_ = _blocks(ROOT / "README.md")
    block = block.replace("https://pacs.lab/dicom-web", made_server.url).replace('"P1*"', '"*"')
    exec(compile(block, "README.md", "exec"), {})


def test_results_in_the_readme_run(made_folder, tmp_path, monkeypatch):
    _, block, _ = _blocks(ROOT / "README.md")
    folder = shutil.copytree(made_folder, tmp_path / "slides")
    monkeypatch.chdir(folder)
    point = {"type": "Point", "coordinates": [5, 7]}
    feature = {"type": "Feature", "geometry": point, "properties": {}}
    Path("nuclei.geojson").write_text(json.dumps(feature))
    with wsiweb.connect(folder) as archive:
        slide = archive.slides()[0].open()
        mask = np.ones(slide.levels[2].size[::-1], bool)
        scores = np.linspace(0, 1, 54).reshape(6, 9)
        names = {"slide": slide, "mask": mask, "scores": scores}
        written, read = block.split("\n\n")
        exec(compile(written, "README.md", "exec"), names)
    with wsiweb.connect(folder) as archive:
        exec(compile(read, "README.md", "exec"), {"slide": archive.slides()[0].open()})


@pytest.mark.parametrize("page", ["docs/pipeline.md", "README.md"])
def test_a_pipeline_runs(page, made, made_folder, tmp_path):
    folder = shutil.copytree(made_folder, tmp_path / "slides")
    with serve(folder, stow=True) as server:
        names = run_pipeline(page, server.url, None, made.series_uid)
    assert names["job"].state == "stored"


def test_a_pipeline_runs_on_a_folder(made, made_folder, tmp_path):
    folder = shutil.copytree(made_folder, tmp_path / "slides")
    names = run_pipeline("docs/pipeline.md", str(folder), None, made.series_uid)
    assert names["job"].state == "stored"


@pytest.mark.parametrize(
    "name", [one.name for one in pkgutil.walk_packages(wsiweb.__path__, "wsiweb.")]
)
def test_examples_in_docstrings_run(name):
    if name.endswith("__main__"):
        return
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE, extraglobs={})
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_public_name_is_in_the_reference():
    reference = (ROOT / "docs" / "reference.md").read_text()
    for name in wsiweb.__all__:
        if not name.startswith("__"):
            assert f"wsiweb.{name}" in reference, name


def test_every_setting_is_documented():
    from dataclasses import fields

    for field in fields(wsiweb.Settings):
        assert field.name in wsiweb.Settings.__doc__


def test_every_fault_is_documented():
    from wsiweb.server.faults import FAULTS, PERSONALITIES

    text = (ROOT / "docs" / "how-to.md").read_text()
    for name in (*FAULTS, *PERSONALITIES):
        assert f"`{name}`" in text, name
    assert f"{len(FAULTS)} faults" in (ROOT / "CHANGELOG.md").read_text()


def test_every_room_stands_in_contributing():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for path in sorted((ROOT / "wsiweb").iterdir()):
        if path.name.startswith("_") or path.suffix not in {"", ".py"}:
            continue
        name = path.name if path.suffix else f"{path.name}/"
        assert f"`{name}`" in text, name
