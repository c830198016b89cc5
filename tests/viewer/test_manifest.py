from __future__ import annotations

import numpy as np
import pydicom
import pytest
from faulty import Fault
from viewer.asking import told

from wsiweb import synthetic
from wsiweb.viewer import Feed

FIELDS = {
    "title", "study", "series", "patient", "description", "container", "width", "height", "mpp",
    "objective", "levels", "channels", "focalPlanes", "label", "overview", "icc", "toMillimetres",
    "layers", "layersComplete",
}  # fmt: skip


def test_the_real_slide(cmu_folder, reached):
    slide = reached(cmu_folder)
    found = told(Feed(slide), "manifest")
    assert set(found) == FIELDS
    assert (found["width"], found["height"]) == (2220, 2967)
    assert (found["study"], found["series"]) == (slide.study_uid, slide.series_uid)
    assert found["mpp"] == [0.499, 0.499]
    assert found["objective"] == 20
    assert found["levels"] == [
        {"width": width, "height": height, "tileWidth": 240, "tileHeight": 240}
        for width, height in [(2220, 2967), (1110, 1484), (555, 742), (278, 371), (139, 186)]
    ]
    assert [one["kind"] for one in found["channels"]] == ["color"]
    assert found["focalPlanes"] == [{"id": "0", "micrometres": 0.0}]
    assert (found["label"], found["overview"], found["icc"]) == (True, True, True)
    assert (found["layers"], found["layersComplete"]) == ([], False)


def test_millimetres_are_those_of_the_headers(cmu_folder, opened):
    slide = opened(cmu_folder)
    a, b, c, d, e, f = told(Feed(slide), "manifest")["toMillimetres"]
    for x, y in [(0, 0), (2220, 0), (100.5, 2000.25)]:
        expected = slide.levels[0].geometry.to_slide([x, y])[:2]
        np.testing.assert_allclose([a * x + b * y + c, d * x + e * y + f], expected, atol=1e-9)


def test_who_it_is_about_is_said(tmp_path, reached):
    made = synthetic.write_slide(
        tmp_path, 300, 200, patient_id="P-7", patient_name="Mäkinen^Ülo", container_id="A 12/3"
    )
    for path in made.paths:
        dataset = pydicom.dcmread(path)
        dataset.SeriesDescription = "<b>H&E</b>"
        dataset.save_as(path)
    found = told(Feed(reached(tmp_path)), "manifest")
    assert found["title"] == found["container"] == "A 12/3"
    assert found["patient"] == "Mäkinen Ülo (P-7)"
    assert found["description"] == "<b>H&E</b>"  # as it is: the front end escapes it


def test_a_gray_slide_without_much(tmp_path, opened):
    made = synthetic.write_slide(
        tmp_path, 300, 200, photometric="MONOCHROME2", label=False, overview=False
    )
    for path in made.paths:
        dataset = pydicom.dcmread(path)
        shared = dataset.SharedFunctionalGroupsSequence[0]
        del shared.PixelMeasuresSequence
        del dataset.ImagedVolumeWidth, dataset.ImagedVolumeHeight
        dataset.save_as(path)
    found = told(Feed(opened(tmp_path)), "manifest")
    assert found["channels"][0]["kind"] == "gray"
    assert found["mpp"] is None
    assert found["toMillimetres"] is None
    assert (found["label"], found["overview"], found["icc"]) == (False, False, False)


def test_an_archive_without_headers_of_single_instances_shows_the_slide(faulty, opened):
    _, server = faulty(Fault("/instances/", status=404))
    found = told(Feed(opened(server.url)), "manifest")
    assert found["width"] == 2100
    assert found["patient"] == ""


def test_the_smallest_header_is_asked_for_once(faulty, opened):
    app, server = faulty()
    slide = opened(server.url)
    feed = Feed(slide)
    app.log.clear()
    assert told(feed, "manifest") == told(feed, "manifest")
    (path,) = app.paths()
    assert slide.levels[-1].instance_uids[0] in path


@pytest.mark.parametrize("path", ["manifest/more", "manifest?more=1"])
def test_more_is_refused(made_folder, opened, path):
    with pytest.raises(ValueError, match="manifest"):
        told(Feed(opened(made_folder)), path)
