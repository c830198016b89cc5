"""The pipeline of the documentation, as it stands there: with the real slide, there and back.

Against Orthanc, and against the embedded server.
"""

from __future__ import annotations

import shutil

import pydicom
import pytest
from pipelines import run_pipeline

import wsiweb
from wsiweb.server import serve

PAGES = ["docs/pipeline.md", "README.md"]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def series(cmu_folder):
    path = next(cmu_folder.glob("*.dcm"))
    return str(pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"]).SeriesInstanceUID)


def check(names):
    """What a page asserts, and what it only says."""
    assert names["job"].state == "stored"
    receipt = names["job"].receipt
    assert receipt.ok
    assert {item.proof for item in receipt.items} == {"listed"}
    assert 0.2 < names["tissue"].mean() < 0.8


@pytest.mark.parametrize("page", PAGES)
def test_with_orthanc(page, orthanc, cmu_folder, series):
    orthanc.upload(cmu_folder)
    login = (orthanc.user, orthanc.password)
    names = run_pipeline(page, orthanc.url, login, series)
    check(names)
    uids = {item.instance_uid for item in names["job"].items}
    with wsiweb.connect(orthanc.url, auth=login) as archive:
        slide = archive.slides(series_uid=series)[0].open()
        (mask,) = [one for one in slide.segmentations() if uids & set(one.instance_uids)]
        assert (mask.read_region((0, 0), 2, slide.levels[2].size) == names["tissue"]).all()


@pytest.mark.parametrize("page", PAGES)
def test_with_the_embedded_server(page, cmu_folder, series, tmp_path):
    folder = shutil.copytree(cmu_folder, tmp_path / "slides")
    with serve(folder, stow=True) as server:
        check(run_pipeline(page, server.url, None, series))
