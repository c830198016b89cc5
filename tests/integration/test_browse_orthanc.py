"""The web app over Orthanc, the embedded server and a folder at once."""

from __future__ import annotations

import io
import uuid
from contextlib import ExitStack

import pytest
from browse.paging import Page
from PIL import Image

import wsiweb
from wsiweb import names, synthetic
from wsiweb.browse import serve
from wsiweb.server import serve as dicomweb

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def made(orthanc, tmp_path, monkeypatch):
    """A slide with a mask, in Orthanc and in a folder; Orthanc has a name and a password."""
    for what in ("DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{what}_HOME", str(tmp_path / what.lower()))
    seed = 10**9 + uuid.uuid4().int % 10**9  # whose patient is not found by SYN-3, of the folder
    slide = synthetic.write_slide(tmp_path / "slides", 1500, 1100, seed=seed, label=False)
    with wsiweb.connect(tmp_path / "slides", outbox=tmp_path / "own") as archive:
        opened = archive.slides()[0].open()
        session = opened.results("mask", algorithm=("made up", "1"))
        session.add_mask(opened.read_region((0, 0), 1, (750, 550)).mean(2) < 200, segments="Tissue")
        session.save(tmp_path / "slides" / "results")
    orthanc.upload(tmp_path / "slides")
    orthanc.upload(tmp_path / "slides" / "results")
    names.add(names.NamedArchive(name="orthanc", url=orthanc.url, user=orthanc.user))
    monkeypatch.setenv("WSIWEB_PASSWORD_ORTHANC", orthanc.password)
    return slide, seed, tmp_path


@pytest.fixture
def page(made):
    _, _, home = made
    with ExitStack() as stack:
        served = stack.enter_context(dicomweb(home / "slides"))
        folder = home / "more"
        synthetic.write_slide(folder, 600, 500, seed=3, label=False)
        server = stack.enter_context(serve(["orthanc", served.url, str(folder)]))
        yield Page(server)


def test_three_kinds_of_archives_at_once(page, made):
    slide, seed, _ = made
    found = page.listed(patient=f"SYN-{seed}")
    assert [one["state"] for one in found["archives"]] == ["ready"] * 3, found["archives"]
    (row,) = found["studies"]
    assert len(row["archives"]) == 2
    assert set(row["modalities"]) == {"SEG", "SM"}
    assert page.listed()["total"] >= 2
    # What was filtered by Orthanc, and what is filtered here, is the same.
    assert [one["study"] for one in page.listed(patient=f"syn-{seed}")["studies"]] == [row["study"]]
    assert page.listed(container=f"WSI-{seed}")["total"] == 1
    study = page.get(f"/api/studies/{slide.study_uid}?archive=orthanc").json
    (one,) = study["slides"]
    assert (one["size"], one["magnification"], one["stain"]) == ([1500, 1100], 20.0, "H&E")
    (mask,) = study["results"]
    assert (mask["kind"], mask["of"]) == ("segmentation", [slide.series_uid])


def test_a_slide_of_orthanc_is_shown(page, made):
    slide, *_ = made
    path = f"orthanc/{slide.study_uid}/{slide.series_uid}"
    picture = Image.open(io.BytesIO(page.get(f"/api/thumbnails/{path}?size=128").body))
    assert max(picture.size) == 128
    manifest = page.get(f"/feed/{path}/manifest").json
    assert (manifest["width"], manifest["height"]) == (1500, 1100)
    assert page.get(f"/feed/{path}/tiles/0/0/0/1/1").headers["content-type"] == "image/jpeg"
    (layer,) = page.get(f"/feed/{path}/layers").json
    assert layer["kind"] == "segmentation"
    assert len(page.get(f"/api/metadata/{path}").json) == len(slide.paths)


def test_a_study_is_sent_to_orthanc(page, made):
    other = next(
        row for row in page.listed()["studies"] if row["patientId"] == "SYN-3"
    )  # of the folder
    archive = next(one for one in other["archives"] if one != "orthanc")
    body = {"from": archive, "to": "orthanc", "study": other["study"]}
    job = page.finished("orthanc", page.do("/api/send", body)["job"], timeout=120)
    assert job["state"] == "stored", job
    page.do("/api/archives/orthanc/verify")
    found = page.listed(patient="SYN-3", archive="orthanc")
    assert found["total"] == 1
