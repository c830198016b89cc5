from __future__ import annotations

import contextlib
import json
import time

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


TAGS = st.sampled_from(["00280010", "0020000d", "00091001", "x", "PatientID"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_value_is_read_or_refused_by_us(value):
    (one,) = Attributes.decode(json.dumps([{"00280010": {"vr": "US", "Value": value}}]).encode())
    kinds = {
        one.texts: str,
        one.names: str,
        one.integers: int,
        one.numbers: float,
        one.items: Attributes,
    }
    for read, kind in kinds.items():
        try:
            values = read("Rows")
        except ProtocolError as error:
            words = error.message
            assert "Rows" in words
        else:
            assert type(values) is tuple
            assert all(isinstance(each, kind) for each in values)
            assert len(values) <= (3 * len(value) if isinstance(value, list) else 0)


@given(st.recursive(JSON, lambda inner: st.dictionaries(TAGS, inner, max_size=3), max_leaves=8))
def test_any_json_is_a_dataset_or_refused_by_us(value):
    with contextlib.suppress(ProtocolError):
        datasets = Attributes.decode(json.dumps(value).encode())
        assert len(datasets) == (len(value) if isinstance(value, list) else 1)
        for one in datasets:
            assert set(one.to_dict()) == set(one.tags())
            for tag in one.tags():
                assert tag in one
                for read in (one.text, one.number, one.integer, one.item, one.bulk, one.vr):
                    with contextlib.suppress(ProtocolError):
                        read(tag)


@given(st.binary(max_size=60))
def test_any_bytes_are_datasets_or_refused_by_us(data):
    for body in (data, b'[{"00280010":{"vr":"US","Value":[' + data + b"]}}]"):
        with contextlib.suppress(ProtocolError):
            for one in Attributes.decode(body):
                json.dumps(one.to_dict())  # what was read can be written again


@pytest.mark.parametrize("value", [b'["\xff"]', b"[1e999]", b"3", b"[9" + b"9" * 9000 + b"]"])
def test_values_that_cannot_be_read_are_named(value):
    (one,) = Attributes.decode(b'[{"00280010":{"vr":"US","Value":' + value + b"}}]")
    for read in (one.texts, one.names, one.integers, one.numbers, one.items):
        with pytest.raises(ProtocolError, match="Rows"):
            read("Rows")
    with pytest.raises(ProtocolError, match="Rows"):
        one.to_dict()


def test_a_null_among_values_keeps_their_places():
    odd = _of(ImageType=("CS", {"Value": ["DERIVED", None, "VOLUME"]}))
    assert odd.texts("ImageType") == ("DERIVED", "", "VOLUME")
    assert _of(ImageType=("CS", {"Value": [None, None]})).texts("ImageType") == ()


def test_blank_numbers_are_absent():
    odd = _of(NumberOfFrames=("IS", {"Value": [""]}), PixelSpacing=("DS", {"Value": [" "]}))
    assert odd.integer("NumberOfFrames") is odd.number("PixelSpacing") is None


def test_sixty_four_bits_keep_their_last_digits():
    odd = _of(Rows=("UV", {"Value": ["18446744073709551615", 18446744073709551615]}))
    assert odd.integers("Rows") == (2**64 - 1, 2**64 - 1)


def test_keys_that_are_no_tags_are_passed_over():
    (one,) = Attributes.decode(b'[{"_vrMap": {}, "00280010": {"vr": "US", "Value": [1]}}]')
    assert one.tags() == ("00280010",)
    assert one.to_dict() == {"00280010": {"vr": "US", "Value": [1]}}
    with pytest.raises(ProtocolError, match="no tags"):
        Attributes.decode(b'{"error": {"vr": "none"}}')


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_byte_order_marks(encoding):
    text = '[{"00100020": {"vr": "LO", "Value": ["Pä"]}}]'
    (one,) = Attributes.decode(text.encode(encoding))
    assert one.text("PatientID") == "Pä"


def test_all_forms_of_a_name():
    forms = {"Alphabetic": "Yamada^Taro", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    odd = _of(PatientName=("PN", {"Value": [forms]}))
    assert odd.names("PatientName") == tuple(forms.values())
    assert _of(PatientName=("PN", {"Value": ["plain"]})).names("PatientName") == ("plain",)


def test_base64_with_broken_lines():
    one = _of(PixelData=("OW", {"InlineBinary": "AA\r\nE="}))
    assert one.bulk("PixelData").inline == b"\x00\x01"


def test_a_table_of_fifty_thousand_frames_is_left_alone_until_asked_for():
    frame = b'{"0048021A":{"vr":"SQ","Value":[{"0048021E":{"vr":"SL","Value":[1]}}]}}'
    table = b"[" + b",".join([frame] * 50_000) + b"]"
    began = time.thread_time()
    (one,) = Attributes.decode(
        b'[{"00280010":{"vr":"US","Value":[5]},"52009230":{"vr":"SQ","Value":' + table + b"}}]"
    )
    assert one.integer("Rows") == 5
    assert one.raw("PerFrameFunctionalGroupsSequence") == table
    assert time.thread_time() - began < 0.5
