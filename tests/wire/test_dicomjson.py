from __future__ import annotations

import json

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.errors import ProtocolError
from wsiweb.wire import dicomjson
from wsiweb.wire.dicomjson import Attributes


def _of(**attributes):
    return Attributes.of(
        {dicomjson.tag_of(name): {"vr": vr, **rest} for name, (vr, rest) in attributes.items()}
    )


def test_the_tables_agree_with_pydicom():
    for keyword, tag in dicomjson._TAGS.items():
        assert pydicom.datadict.tag_for_keyword(keyword) == int(tag, 16), keyword
        assert dicomjson.keyword_of(tag) == keyword


def test_keywords_beyond_the_table_and_tags():
    assert dicomjson.tag_of("SpecimenUID") == "00400554"
    assert dicomjson.keyword_of("00400554") == "SpecimenUID"
    assert dicomjson.tag_of("0040055a") == "0040055A"
    assert dicomjson.keyword_of("00091001") == "00091001"
    with pytest.raises(ValueError, match="PatientID"):
        dicomjson.tag_of("PatientId")


def test_a_real_header_reads_like_pydicom(cmu_folder):
    dataset = pydicom.dcmread(cmu_folder / "volume-555x742.dcm", stop_before_pixels=True)
    ours = Attributes.of(dataset.to_json_dict())
    assert ours.integer("Rows") == dataset.Rows
    assert ours.integer("NumberOfFrames") == dataset.NumberOfFrames
    assert ours.texts("ImageType") == tuple(dataset.ImageType)
    assert ours.numbers("ImageOrientationSlide") == tuple(dataset.ImageOrientationSlide)
    path = ours.item("OpticalPathSequence")
    assert path.bulk("ICCProfile").inline == dataset.OpticalPathSequence[0].ICCProfile
    assert ours.text("PatientName") == ""
    assert ours.to_dict() == json.loads(dataset.to_json())


def test_odd_ways_to_say_nothing():
    odd = _of(
        PatientID=("LO", {}),
        StudyDate=("DA", {"Value": []}),
        PatientName=("PN", {"Value": [{}]}),
        AccessionNumber=("SH", {"Value": [None]}),
        OpticalPathSequence=("SQ", {}),
        SpecimenDescriptionSequence=("SQ", {"Value": [None]}),
        PixelSpacing=("DS", {"Value": None}),
    )
    for keyword in ("PatientID", "StudyDate", "PatientName", "AccessionNumber", "StudyID"):
        assert odd.text(keyword) == ""
    assert odd.items("OpticalPathSequence") == odd.items("SpecimenDescriptionSequence") == ()
    assert odd.number("PixelSpacing") is None
    assert odd.item("OpticalPathSequence").text("ICCProfile") == ""
    assert "PatientID" in odd
    assert "StudyID" not in odd


def test_numbers_as_text_and_text_as_numbers():
    odd = _of(
        NumberOfFrames=("IS", {"Value": ["12"]}),
        PixelSpacing=("DS", {"Value": ["0.25", 0.5]}),
        Rows=("US", {"Value": [256.0]}),
        PatientID=("LO", {"Value": [123]}),
    )
    assert odd.integer("NumberOfFrames") == 12
    assert odd.numbers("PixelSpacing") == (0.25, 0.5)
    assert odd.integer("Rows") == 256
    assert odd.text("PatientID") == "123"


def test_names():
    name = _of(PatientName=("PN", {"Value": [{"Alphabetic": "Yamada^Taro", "Ideographic": "x"}]}))
    assert name.text("PatientName") == "Yamada^Taro"
    name = _of(PatientName=("PN", {"Value": [{"Ideographic": "山田^太郎"}]}))
    assert name.text("PatientName") == "山田^太郎"


@pytest.mark.parametrize(
    ("read", "vr", "value"),
    [
        ("integer", "US", "many"),
        ("integer", "US", 1.5),
        ("integer", "US", True),
        ("integer", "US", [1]),
        ("number", "DS", "nan"),
        ("number", "DS", "1e999"),
        ("number", "DS", {}),
        ("text", "LO", [1]),
        ("text", "LO", {"a": 1}),
        ("items", "SQ", "x"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(read, vr, value):
    with pytest.raises(ProtocolError, match="Rows"):
        getattr(_of(Rows=(vr, {"Value": [value]})), read)("Rows")


def test_a_sequence_that_is_none():
    with pytest.raises(ProtocolError, match="sequence"):
        _of(Rows=("US", {"Value": [1]})).items("Rows")


def test_bulk_data_both_ways():
    one = _of(
        ICCProfile=("OB", {"BulkDataURI": "../x"}), PixelData=("OW", {"InlineBinary": "AAE="})
    )
    assert one.bulk("ICCProfile") == ("../x", None)
    assert one.bulk("PixelData") == (None, b"\x00\x01")
    assert one.bulk("Rows") is None
    with pytest.raises(ProtocolError, match="Base64"):
        _of(PixelData=("OW", {"InlineBinary": "?"})).bulk("PixelData")


@pytest.mark.parametrize("data", [b"", b"  ", b"[]", b"\xef\xbb\xbf[]"])
def test_nothing_is_an_empty_list(data):
    assert Attributes.decode(data) == []


def test_one_object_is_a_list_of_one_and_tags_may_be_small():
    (one,) = Attributes.decode(b'{"0020000d": {"vr": "UI", "Value": ["1.2"]}}')
    assert one.text("StudyInstanceUID") == "1.2"


@pytest.mark.parametrize(
    "data", [b"<html>", b"[1]", b"[[]]", b'{"a": 1}', b'[{"a": {"vr": 3}}]', b"\xff", b"[" * 10**5]
)
def test_what_is_not_dicom_json(data):
    with pytest.raises(ProtocolError, match="not DICOM JSON"):
        Attributes.decode(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_value_is_read_or_refused_by_us(value):
    (one,) = Attributes.decode(json.dumps([{"00280010": {"vr": "US", "Value": value}}]).encode())
    for read in (one.texts, one.integers, one.numbers, one.items):
        try:
            read("Rows")
        except ProtocolError:
            pass
