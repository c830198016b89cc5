from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import wsiweb
from wsiweb.cli import main


def _pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0, **environment):
        done = CliRunner().invoke(main, [str(word) for word in words], env=environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == status, done.output
        return done.output

    return run


def test_lists_for_people_and_programs(run, made_server, made_folder, made):
    for target in (made_server.url, made_folder):
        assert made.study_uid in run("studies", target)
        assert made.series_uid in run("slides", target)
        (study,) = json.loads(run("studies", target, "--json"))
        assert study["study_uid"] == made.study_uid
        assert json.loads(run("slides", target, "--json", "--patient-id", "nobody")) == []


def test_info(run, made_folder):
    assert "2100 x 1500 px" in run("info", made_folder)
    described = json.loads(run("info", made_folder, "--json"))
    assert described["levels"][0]["size"] == [2100, 1500]


def test_pictures(run, made_server, tmp_path):
    assert "210 x 150 px" in run("thumbnail", made_server.url, "--size", 210)
    assert _pixels(tmp_path / "thumbnail.png").shape == (150, 210, 3)
    run("region", made_server.url, "--at", "100,200", "--size", "300,250", "-o", "r.png")
    with wsiweb.connect(made_server.url) as archive:
        slide = archive.slides()[0].open()
        region = slide.read_region((100, 200), 0, (300, 250))
        stored = slide.tile(0, 1, 1).data
    np.testing.assert_array_equal(_pixels(tmp_path / "r.png"), region)
    run("tile", made_server.url, 0, 1, 1)
    assert (tmp_path / "tile.jpg").read_bytes() == stored
    run("region", made_server.url, "--at", "-50,0", "--mpp", "2", "--size", "90,80", "-o", "m.jpg")
    assert _pixels(tmp_path / "m.jpg").shape == (80, 90, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "m.jpg",
        "r.png",
        "thumbnail.png",
        "tile.jpg",
    ]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["info", "/no/such"], 1, "no folder"),
        (["info", "http://127.0.0.1:1"], 1, "Connection refused.*running"),
        (["info", "gopher://x"], 1, "URL"),
        (["region", "FOLDER"], 2, "--at"),
        (["region", "FOLDER", "--at", "1"], 2, "two whole numbers"),
        (["region", "FOLDER", "--at", "1,2", "--level", "0", "--mpp", "1"], 2, "not both"),
        (["region", "FOLDER", "--at", "1,2", "--level", "77"], 1, "no level 77"),
        (["region", "FOLDER", "--at", "1,2", "--size", "-1,5"], 1, "negative|-1"),
        (["region", "FOLDER", "--at", "1,2", "--size", "0,5"], 1, "without pixels"),
        (["region", "FOLDER", "--at", "1,2", "-o", "r.docx"], 1, "picture format"),
        (["thumbnail", "FOLDER", "-o", "no/such/folder/x.png"], 1, "No such file"),
        (["tile", "FOLDER", "0", "99", "0"], 1, "99"),
        (["studies", "FOLDER", "--header", "x"], 2, "NAME:VALUE"),
        (["studies", "FOLDER", "--date", "soon"], 1, "is no date"),
        (["info", "FOLDER", "--study", "1.2", "--series", "3"], 1, "no such"),
        (["info", "FOLDER", "--series", "3"], 1, "no slide with the series UID 3"),
        (["info", "FOLDER", "--study", "../x"], 1, "UID"),
        (["serve", "/no/such"], 2, "does not exist"),
        (["serve", "FOLDER", "--allow-host", "a b"], 1, "host"),
        (["serve", "FOLDER", "--allow-origin", "*"], 1, "no origin of a page"),
        (["serve", "FOLDER", "--host", "0.0.0.0"], 1, "remote"),
        (["demo", "--size", "3"], 2, "size"),
    ],
)
def test_mistakes_are_told_in_a_line(run, made_folder, words, status, says):
    import re

    output = run(*[made_folder if word == "FOLDER" else word for word in words], status=status)
    assert re.search(says, output), output
    assert "Traceback" not in output


def test_several_slides_are_listed_to_choose_from(run, tmp_path):
    from wsiweb import synthetic

    for seed in (1, 2):
        synthetic.write_slide(tmp_path / "two" / str(seed), 300, 300, seed=seed)
    output = run("info", tmp_path / "two", status=1)
    assert output.count("--series") == 2
    line = next(line for line in output.splitlines() if "--series" in line)
    assert "300 x 300 px" in run("info", tmp_path / "two", *line.split())


def test_a_password_comes_from_the_environment(run, made_server):
    run("studies", made_server.url, "--user", "me", WSIWEB_PASSWORD="secret")
    run("studies", made_server.url, WSIWEB_TOKEN="t")


def test_help_teaches(run):
    for command in ([], ["demo"], ["serve"], ["studies"], ["region"]):
        assert "Usage" in run(*command, "--help")


def test_demo(run, tmp_path, made_folder):
    output = run("demo", "--size", "1500")
    assert "requests" in output
    assert _pixels(tmp_path / "wsiweb-demo" / "thumbnail.png").shape == (512, 512, 3)
    assert _pixels(tmp_path / "wsiweb-demo" / "region.png").shape == (1024, 1024, 3)
    assert "; 0 requests" in output  # the second read of a region
    assert re.search(r"stored \d objects about it", output)
    again = run("demo", "--size", "1500", "--no-open")
    assert "there already" in again
    with wsiweb.connect(tmp_path / "wsiweb-demo" / "slide-1500") as archive:
        slide = archive.slides()[0].open()
        kinds = (slide.segmentations(), slide.annotations(), slide.heatmaps(), slide.reports())
        assert [len(found) for found in kinds] == [2, 1, 1, 1]


def test_demo_on_a_folder_stores_nothing_in_it(run, made_folder):
    before = sorted(made_folder.rglob("*"))
    assert "2100 x 1500" in run("demo", made_folder, "-o", "other")
    assert sorted(made_folder.rglob("*")) == before


def test_demo_on_an_empty_folder(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no slide" in run("demo", tmp_path / "empty", status=1)


def test_serve_until_ctrl_c(made_folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "wsiweb", "serve", str(made_folder), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    url = next(word for word in line.split() if word.startswith("http"))
    with wsiweb.connect(url) as archive:
        assert len(archive.studies()) == 1
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    assert errors == ""
