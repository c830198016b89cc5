from __future__ import annotations

import pydicom
import pytest
from results.about import headers_of, source_of

from wsiweb.errors import SlideError

REQUIRED = ["FrameOfReferenceUID", "ImageOrientationSlide", "TotalPixelMatrixOriginSequence"]
MAY_BE_MISSING = [
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "ReferringPhysicianName",
]


@pytest.fixture
def headers(made_folder):
    return headers_of(sorted(made_folder.glob("*.dcm")))


def test_headers_are_as_highdicom_wants_them(headers):
    dataset = source_of(headers).dataset(0)
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert dataset.StudyInstanceUID == headers[0].StudyInstanceUID
    assert "PerFrameFunctionalGroupsSequence" not in dataset
    assert "PixelData" not in dataset


@pytest.mark.parametrize("keyword", MAY_BE_MISSING)
def test_what_may_be_empty_may_be_missing(headers, keyword):
    for header in headers:
        if keyword in header:
            delattr(header, keyword)
    dataset = source_of(headers).dataset(0)
    assert keyword in dataset
    assert not dataset.get(keyword)


def test_an_unknown_sex_is_left_empty(headers):
    for header in headers:
        header.PatientSex = "U"
    assert not source_of(headers).dataset(0).PatientSex


@pytest.mark.parametrize("keyword", REQUIRED)
def test_without_a_place_on_the_slide_nothing_is_made(headers, keyword):
    for header in headers:
        delattr(header, keyword)
    with pytest.raises(SlideError, match=rf"Instance [\d.]+: {keyword} is missing"):
        source_of(headers).dataset(0)


def test_a_level_that_has_gone_is_said(headers):
    source = source_of(headers)
    source._headers.clear()
    with pytest.raises(SlideError, match="is no more: open it anew"):
        source.dataset(1)


def test_headers_are_made_once(headers):
    source = source_of(headers)
    assert source.dataset(1) is source.dataset(1)
    assert isinstance(source.dataset(1), pydicom.Dataset)
