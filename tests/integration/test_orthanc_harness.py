"""The harness itself: what is uploaded is found, and only with the password."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pydicom
import pytest

from wsiweb import synthetic


def found(orthanc, study_uid):
    """Instance UIDs of a study, and its series, by QIDO."""
    base = f"{orthanc.url}/studies/{study_uid}"
    instances = json.loads(orthanc.get(f"{base}/instances"))
    series = json.loads(orthanc.get(f"{base}/series"))
    return (
        {item["00080018"]["Value"][0] for item in instances},
        {item["0020000E"]["Value"][0] for item in series},
    )


def headers(folder):
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in Path(folder).glob("*.dcm")]


def test_the_real_slide_is_found(orthanc, cmu_folder):
    assert set(orthanc.upload(cmu_folder)) <= {"Success", "AlreadyStored"}
    stored = headers(cmu_folder)
    assert found(orthanc, stored[0].StudyInstanceUID) == (
        {header.SOPInstanceUID for header in stored},
        {stored[0].SeriesInstanceUID},
    )
    assert orthanc.upload(cmu_folder) == ["AlreadyStored"] * len(stored)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tiling": "TILED_SPARSE", "offsets": "extended"},
        {"photometric": "RGB", "offsets": "none"},
        {"transfer_syntax": "1.2.840.10008.1.2.1"},
    ],
)
def test_a_made_up_slide_is_found_and_its_frames_come_as_stored(orthanc, tmp_path, options):
    slide = synthetic.write_slide(tmp_path, 700, 500, seed=12, **options)
    assert orthanc.upload(tmp_path) == ["Success"] * len(slide.paths)
    stored = headers(tmp_path)
    instances, series = found(orthanc, slide.study_uid)
    assert series >= {slide.series_uid}
    assert instances >= {header.SOPInstanceUID for header in stored}
    finest = pydicom.dcmread(slide.levels[0])
    frame = _frame(orthanc, finest, finest.NumberOfFrames)
    assert len(frame) > 100
    assert frame in finest.PixelData


def _frame(orthanc, header, number):
    """The bytes of one frame, cut out of the multipart answer by hand."""
    request = urllib.request.Request(
        f"{orthanc.url}/studies/{header.StudyInstanceUID}/series/{header.SeriesInstanceUID}"
        f"/instances/{header.SOPInstanceUID}/frames/{number}",
        headers={"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'},
    )
    answer = orthanc.ask(request)
    boundary = answer[: answer.index(b"\r\n")]
    start = answer.index(b"\r\n\r\n") + 4
    return answer[start : answer.rindex(b"\r\n" + boundary)]


def test_nobody_else_gets_in(orthanc):
    assert orthanc.password not in repr(orthanc)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{orthanc.url}/studies")
    assert refused.value.code == 401
    refused.value.close()
