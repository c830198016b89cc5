from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from results.about import headers_of, objects_in, source_of

from wsiweb.errors import SlideError
from wsiweb.results.masks.mask import add_mask
from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.shapes import Shapes
from wsiweb.wire.dicomjson import Attributes

MARK = Shapes.of("point", [[1, 2]])

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


@pytest.mark.parametrize(
    ("keyword", "given", "kept"),
    [
        ("PatientSex", "m", "M"),
        ("PatientSex", " f", "F"),
        ("PatientBirthDate", "1900", None),
        ("PatientBirthDate", "0000", None),
        ("PatientBirthDate", "1990.01.02", "19900102"),
        ("StudyDate", "garbage", None),
        ("StudyTime", "25", None),
        ("StudyTime", "1011", "1011"),
        ("PatientName", "Doe^J\u00e4ne\\Roe^Jo", "Doe^J\u00e4ne"),
        ("ReferringPhysicianName", "A^B\\C^D", "A^B"),
        ("PatientID", "1\\2", "1"),
        ("AccessionNumber", "1\\2", "1"),
        ("StudyID", "\\2", None),
    ],
)
# pydicom's words about what is wrong with these headers, which is what they are made for.
@pytest.mark.filterwarnings("ignore:.*(Invalid value|value).*:UserWarning")
@pytest.mark.parametrize("parted", [True, False])
def test_what_archives_have_is_mended(made_folder, tmp_path, keyword, given, kept, parted):
    source = source_of(made_folder)
    values = given.split("\\") if parted else [given]
    is_name = keyword.endswith("Name")
    element = {
        "vr": dictionary_VR(keyword),
        "Value": [{"Alphabetic": one} if is_name else one for one in values],
    }
    tag = f"{tag_for_keyword(keyword):08X}"
    source._headers = {
        uid: Attributes.of(header.to_dict() | {tag: element})
        for uid, header in source._headers.items()
    }
    assert source.dataset(0).get(keyword) == kept
    (made,) = add_annotations(source, objects_in(tmp_path, source), MARK)
    assert (highdicom.ann.annread(made.path).get(keyword) or None) == kept


def test_a_header_that_is_none_is_refused(made_folder):
    source = source_of(made_folder)
    uid = source.pyramid.levels[0].instance_uids[0]
    broken = {"00200013": {"vr": "IS", "Value": ["one"]}}
    source._headers[uid] = Attributes.of(source._headers[uid].to_dict() | broken)
    with pytest.raises(SlideError, match=rf"Instance {uid}: its header cannot be read"):
        source.dataset(0)


@pytest.mark.parametrize("kind", ["mask", "annotations"])
def test_the_patient_arrives_unharmed(headers, tmp_path, kind):
    for header in headers:
        header.SpecificCharacterSet = "ISO_IR 100"
        header.PatientName = "M\u00fcller^J\u00f6rg"
        header.IssuerOfPatientID = "Universit\u00e4t"
        # As bytes of Latin-1 in a file, which is where archives have it from.
        header.save_as(tmp_path / f"{header.SOPInstanceUID}.dcm")
    source = source_of(tmp_path)
    objects = objects_in(tmp_path / "made", source)
    if kind == "mask":
        width, height = source.pyramid.levels[0].size
        add_mask(source, objects, np.ones((height, width), bool), segments=["Neoplasm"])
    else:
        add_annotations(source, objects, MARK)
    read = {"mask": highdicom.seg.segread, "annotations": highdicom.ann.annread}[kind]
    own = {header.SOPInstanceUID for header in headers}
    for made in objects.made:
        result = read(made.path)
        assert result.PatientName == "M\u00fcller^J\u00f6rg"
        assert result.IssuerOfPatientID == "Universit\u00e4t"
        assert result.SOPInstanceUID not in own
