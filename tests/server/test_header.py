from __future__ import annotations

import base64
import io
import json
import warnings
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import data as pydicom_data
from server.making import EXPLICIT, dicom, element, encapsulated, item, preamble

from wsiweb.errors import ProtocolError
from wsiweb.server import header as header_module
from wsiweb.server import scan as scan_module
from wsiweb.server.header import INLINE, read_header, read_meta
from wsiweb.server.scan import scan

_DIRECTORY = Path(pydicom_data.__file__).parent
_FILES = sorted(
    file
    for folder in ("test_files", "charset_files")
    for file in (_DIRECTORY / folder).glob("*.dcm")
)
_UNREADABLE = {
    # without the file meta information that PS3.10 7.1 asks for
    "ExplVR_BigEndNoMeta.dcm",
    "ExplVR_LitEndNoMeta.dcm",
    "meta_missing_tsyntax.dcm",
    "no_meta.dcm",
    "rtstruct.dcm",
    "image_dfl.dcm",  # deflated: inflated before it comes here (test_store)
    "rtplan_truncated.dcm",  # cut off
}
_IMPLICIT, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"


def ours(handle):
    meta = read_meta(handle)
    syntax = meta["00020010"]["Value"][0]
    return read_header(handle, implicit=syntax == _IMPLICIT, big_endian=syntax == _BIG_ENDIAN)


def plain(model):
    """Bring two writings of one model together: what DICOM JSON leaves open."""
    out = {}
    for tag, written in model.items():
        entry = dict(written, vr=str(written["vr"]))
        # Group lengths say nothing; the character set is that of JSON; pixels are elsewhere.
        if (
            tag.endswith("0000")
            or tag in {"00080005", "300C0002", "00010001"}
            or tag.startswith(("7FE0", "FFF"))
        ):
            continue
        values = entry.get("Value")
        if entry["vr"] == "SQ":
            entry["Value"] = [plain(one) for one in values or ()]
        elif values is not None:
            texts = [one.strip() or None if isinstance(one, str) else one for one in values]
            entry["Value"] = texts
        if "BulkDataURI" in entry:
            entry["BulkDataURI"] = ""
        out[tag] = entry
    return out


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
def test_the_header_is_what_pydicom_reads(file):
    with file.open("rb") as handle:
        if file.name in _UNREADABLE:
            with pytest.raises((ProtocolError, KeyError)):
                ours(handle)
            return
        header = ours(handle)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = pydicom.dcmread(file).to_json_dict(
            bulk_data_threshold=-(-INLINE // 3) * 4,
            bulk_data_element_handler=lambda _: "somewhere",
            suppress_invalid_tags=True,
        )
    theirs, mine = plain(model), plain(header.model)
    # pydicom has a dictionary of makers' private attributes; here they stay unknown.
    private = {tag for tag, entry in mine.items() if int(tag[3], 16) % 2 and entry["vr"] == "UN"}
    assert mine.keys() >= theirs.keys()
    assert {tag: mine[tag] for tag in theirs.keys() - private} == {
        tag: theirs[tag] for tag in theirs.keys() - private
    }


def test_the_real_slides_headers(cmu_folder):
    for file in sorted(cmu_folder.glob("*.dcm")):
        with file.open("rb") as handle:
            header = ours(handle)
        assert plain(header.model) == plain(pydicom.dcmread(file).to_json_dict())


def test_large_values_are_found_where_they_are():
    profile = bytes(range(256)) * 5
    inner = element(0x00282000, "OB", profile)
    data = dicom("1.2.5", x00480105=element(0x00480105, "SQ", item(b"") + item(inner)))
    header = ours(io.BytesIO(data))
    ((path, (offset, length, unit)),) = header.bulk.items()
    assert (path, unit) == ("00480105/2/00282000", 1)
    assert data[offset : offset + length] == profile
    assert header.model["00480105"]["Value"][1]["00282000"]["BulkDataURI"] == path


def test_per_frame_sequences_of_many_items_are_read_quickly():
    position = element(0x0048021E, "SL", (257).to_bytes(4, "little"))
    frame = item(element(0x0048021A, "SQ", item(position)))
    data = dicom("1.2.5", x52009230=element(0x52009230, "SQ", frame * 10_000))
    header = ours(io.BytesIO(data))
    items = header.model["52009230"]["Value"]
    assert len(items) == 10_000
    assert items[-1] == {
        "0048021A": {"vr": "SQ", "Value": [{"0048021E": {"vr": "SL", "Value": [257]}}]}
    }


_WHOLE = dicom("1.2.5", x00480105=element(0x00480105, "SQ", item(element(0x00080060, "CS", "SM"))))


@given(st.integers(0, len(_WHOLE)))
def test_a_header_that_is_cut_off(length):
    try:
        scanned = scan(io.BytesIO(_WHOLE[:length]))
    except ProtocolError:
        return
    assert scanned.instance_uid == "1.2.5"  # cut within or behind the pixel data


@settings(max_examples=300)
@given(st.data())
def test_damage_is_an_error_of_ours_and_nothing_else(draw):
    damaged = bytearray(_WHOLE)
    places = st.integers(128, len(_WHOLE) - 1)
    for place, byte in draw.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        damaged[place] = byte
    try:
        scanned = scan(io.BytesIO(bytes(damaged)))
    except ProtocolError:
        return
    assert scanned.class_uid


@given(st.binary(max_size=400))
def test_noise_behind_a_good_beginning(noise):
    words = "an instance"
    try:
        assert scan(io.BytesIO(_WHOLE[:200] + noise)).transfer_syntax == EXPLICIT
    except ProtocolError as error:
        words = error.message
    assert len(words.split()) > 1


def test_text_beyond_all_measure_is_left_out(monkeypatch):
    monkeypatch.setattr(header_module, "_LONGEST_TEXT", 100)
    data = dicom("1.2.5", x00104000=element(0x00104000, "LT", "x" * 102))
    assert ours(io.BytesIO(data)).model["00104000"] == {"vr": "LT"}
    data = dicom("1.2.5", x00104000=element(0x00104000, "LT", "x" * 100))
    assert ours(io.BytesIO(data)).model["00104000"]["Value"] == ["x" * 100]


def _deflated(data):
    start = data.index(b"\x08\x00\x16\x00")
    packer = zlib.compressobj(wbits=-15)
    return preamble("1.2.840.10008.1.2.1.99") + packer.compress(data[start:]) + packer.flush()


def test_a_deflated_dataset_beyond_all_measure_is_refused(monkeypatch):
    data = _deflated(dicom("1.2.5", pixels=element(0x7FE00010, "OW", bytes(100_000))))
    assert scan(io.BytesIO(data)).instance_uid == "1.2.5"
    monkeypatch.setattr(scan_module, "_MOST_INFLATED", 50_000)
    with pytest.raises(ProtocolError, match="larger than 50000 bytes"):
        scan(io.BytesIO(data))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("size", [10, 3000])
def test_an_icon_that_is_compressed_is_read_with_the_rest(count, size):
    fragments = [bytes([number]) * size for number in range(1, count + 1)]
    icon = item(
        element(0x00280010, "US", b"\x40\0")
        + encapsulated(fragments)
        + element(0x7FE10010, "LO", "after")
    )
    data = dicom("1.2.5", x00880200=element(0x00880200, "SQ", icon))
    scanned = scan(io.BytesIO(data))
    assert scanned.frames is not None
    (inner,) = json.loads(scanned.header)["00880200"]["Value"]
    assert inner["7FE10010"]["Value"] == ["after"]
    assert inner["7FE00010"]["vr"] == "OB"
    if count == 1 and size == 10:
        assert base64.b64decode(inner["7FE00010"]["InlineBinary"]) == fragments[0]
    elif count == 1:
        offset, length, _ = scanned.bulk[inner["7FE00010"]["BulkDataURI"]]
        assert data[offset : offset + length] == fragments[0]
    else:  # several pieces are no one value
        assert inner["7FE00010"] == {"vr": "OB"}


def test_an_icon_that_is_cut_off_is_refused():
    icon = element(0x00880200, "SQ", item(encapsulated([b"abcd"])[:-9]))
    with pytest.raises(ProtocolError):
        scan(io.BytesIO(dicom("1.2.5", x00880200=icon)))


def test_sequences_without_end_do_not_exhaust_the_stack():
    nested = b"".join(
        [element(0x00480105, "SQ", b"", length=0xFFFFFFFF) + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"]
        * 5000
    )
    with pytest.raises(ProtocolError, match="deep"):
        ours(io.BytesIO(preamble() + nested))


def test_a_length_beyond_the_file_is_refused_before_it_is_allocated():
    huge = element(0x00100010, "UT", b"ab", length=0xFFFFFFF0)
    with pytest.raises(ProtocolError, match="ends at byte"):
        scan(io.BytesIO(dicom("1.2.5", x00100010=huge)))


def test_a_file_that_ends_within_a_sequence_or_the_head_of_an_element_is_refused():
    undefined = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + element(0x00080100, "SH", "code")
    ends = b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
    data = element(0x0040A730, "SQ", undefined + b"".join(ends), length=0xFFFFFFFF)
    behind = element(0x0040DB73, "US", b"\1\0")
    assert read_header(io.BytesIO(data + behind + bytes(3))).model["0040DB73"]["Value"] == [1]
    cuts = [*range(1, len(data)), *range(len(data) + 1, len(data + behind))]
    for end in cuts:
        with pytest.raises(ProtocolError, match="the file ends at byte"):
            read_header(io.BytesIO((data + behind)[:end]))
