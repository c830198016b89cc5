"""Tables of what a search found, as notebooks show them."""

from __future__ import annotations

import base64
import io
import re
import sys
import time
from html.parser import HTMLParser

import pytest
from PIL import Image

import wsiweb
from wsiweb import synthetic
from wsiweb.viewer.tables import Tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three slides in two studies, of a patient with an evil name."""
    import pydicom

    folder = tmp_path_factory.mktemp("listed")
    for number in range(3):
        made = synthetic.write_slide(folder / str(number), 700, 500, seed=number)
        for path in made.paths:
            header = pydicom.dcmread(path)
            header.PatientName = "<script>alert(1)</script>^Eve"
            header.StudyInstanceUID = f"2.25.{min(number, 1) + 1}"
            header.save_as(path)
    return folder


@pytest.fixture
def archive(folder):
    with wsiweb.connect(folder) as archive:
        yield archive


class Whole(HTMLParser):
    """Fails for a table that is not closed, or has what does not belong there."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        assert tag in {"style", "table", "thead", "tbody", "tr", "th", "td", "small", "img", "p"}
        assert not any(name.startswith("on") for name, _ in attrs)
        self.tags.append(tag)


def pictures(html):
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


def test_slides_are_rows_with_pictures(archive):
    html = archive.slides()._repr_html_()
    Whole().feed(html)
    assert [max(one.size) for one in pictures(html)] == [72, 72, 72]
    assert "3 found" in html
    assert "http" not in html


def test_studies_are_rows_with_the_number_of_their_slides(archive):
    html = archive.studies()._repr_html_()
    Whole().feed(html)
    assert len(pictures(html)) == 2
    assert sorted(re.findall(r'<td class="number">(\d+)</td>', html)) == ["1", "2"]


def test_what_comes_from_dicom_is_text(archive):
    for html in (archive.slides()._repr_html_(), archive.studies()._repr_html_()):
        assert "<script>" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt; Eve" in html


def test_twenty_rows_are_small_enough_to_be_saved(archive):
    record = archive.slides()[0]
    tables = Tables(archive._frames)
    assert len(tables.html([record] * 20, "20 found")) < 100_000


def test_only_the_first_are_shown(archive):
    html = Tables(archive._frames).html(archive.slides()[:2], "114 found so far")
    assert "114 found so far; these are the first 2" in html


def test_nothing_found_is_said(archive):
    assert "Nothing was found" in archive.slides(patient_id="nobody")._repr_html_()


def test_a_slow_archive_does_not_keep_the_table(folder):
    from wsiweb.server import create_app, serve

    app = create_app(folder)

    async def slow(scope, receive, send):
        if scope["type"] == "http" and "metadata" in scope["path"]:
            import asyncio

            await asyncio.sleep(1.5)
        await app(scope, receive, send)

    with serve(app=slow) as server, wsiweb.connect(server.url) as archive:
        records = list(archive.slides())
        tables = Tables(archive._frames, deadline=0.4)
        began = time.monotonic()
        html = tables.html(records, "3 found")
        assert time.monotonic() - began < 1.4
        assert pictures(html) == []
        assert "3 pictures came too late" in html
        time.sleep(3)
        again = tables.html(records, "3 found")
        assert len(pictures(again)) == 3
        assert "too late" not in again


def test_a_slide_that_cannot_be_read_has_its_row(archive, folder, tmp_path):
    import shutil

    import pydicom

    copy = shutil.copytree(folder, tmp_path / "copy")
    for path in (copy / "0").iterdir():
        header = pydicom.dcmread(path)
        frames = [b"no frame"] * int(header.NumberOfFrames)
        header.PixelData = pydicom.encaps.encapsulate(frames)
        header.save_as(path)
    with wsiweb.connect(copy) as broken:
        html = broken.slides()._repr_html_()
    assert html.count("<tr>") == 4
    assert len(pictures(html)) == 2


def test_the_second_time_nothing_is_asked_for(archive):
    slides = archive.slides()
    slides._repr_html_()
    with wsiweb.trace() as cost:
        slides._repr_html_()
    assert cost.requests == 0


def test_pandas_is_asked_for_in_words(archive, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        archive.slides().to_pandas()


def test_a_data_frame_has_a_row_for_each(archive):
    frame = archive.slides().to_pandas()
    assert len(frame) == 3
    assert frame["modality"].unique() == ["SM"]
