"""Answers to STOW requests as bytes: those of the standard, and those that archives really give."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.errors import StoreError
from wsiweb.wire.forms import datasets_of, read_xml
from wsiweb.wire.receipts import InstanceReceipt, Receipt, meaning, read_answer

_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
_JSON = "application/dicom+json"


def sequence(*items):
    return {"vr": "SQ", "Value": list(items)}


def item(uid, **more):
    """One item; keywords are tags with an x before them."""
    elements = {"00081150": {"vr": "UI", "Value": [_CLASS]}}
    if uid:
        elements["00081155"] = {"vr": "UI", "Value": [uid]}
    for tag, value in more.items():
        elements[tag[1:]] = {"vr": "US", "Value": [value]}
    return elements


def stored(*uids, **more):
    return {"00081199": sequence(*(item(uid, **more) for uid in uids))}


def failed(*uids, reason=None, **more):
    if reason is not None:
        more["x00081197"] = reason
    return {"00081198": sequence(*(item(uid, **more) for uid in uids))}


def read(body, status=200, content_type=_JSON):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(status, content_type, data)


def told(answer):
    return {one.instance_uid: (one.stored, one.code) for one in answer.verdicts}


# What is stored, what is not ------------------------------------------------------------------


@pytest.mark.parametrize("shape", [lambda model: model, lambda model: [model]])
@pytest.mark.parametrize("status", [200, 202, 400, 409])
def test_what_is_stored_and_what_is_not_whatever_the_status(shape, status):
    answer = read(shape({**stored("1.1", "1.2"), **failed("1.3", reason=272)}), status)
    assert answer.status == status
    assert told(answer) == {"1.1": (True, None), "1.2": (True, None), "1.3": (False, 272)}
    assert not answer.silent
    assert answer.text == ""


@pytest.mark.parametrize("status", [200, 202, 400, 409])
def test_nothing_but_failures(status):
    answer = read(failed("1.1", "1.2", reason=0xA900), status)
    assert told(answer) == {"1.1": (False, 0xA900), "1.2": (False, 0xA900)}


def test_409_and_yet_all_is_stored():
    """dcm4chee-arc 4773: the verdicts are those of the body; that they contradict is not hidden."""
    answer = read(stored("1.1"), 409)
    assert (answer.status, told(answer)) == (409, {"1.1": (True, None)})


def test_good_ones_beside_rubbish_are_named_by_orthanc_and_the_rubbish_is_not():
    """A real answer of Orthanc 1.10, on one object, noise, and one object."""
    body = (
        b'{\n   "00081190" : {\n      "Value" : [ "http://localhost/dicom-web/studies/1.2.3" ],\n'
        b'      "vr" : "UR"\n   },\n   "00081198" : {\n      "vr" : "SQ"\n   },\n'
        b'   "00081199" : {\n      "Value" : [\n         {\n            "00081150" : {\n'
        b'               "Value" : [ "1.2.840.10008.5.1.4.1.1.77.1.6" ],\n'
        b'               "vr" : "UI"\n            },\n'
        b'            "00081155" : { "Value" : [ "1.1" ], "vr" : "UI" },\n'
        b'            "00081190" : { "Value" : [ "http://localhost/x" ], "vr" : "UR" }\n'
        b'         }\n      ],\n      "vr" : "SQ"\n   }\n}\n'
    )
    assert told(read(body, 400)) == {"1.1": (True, None)}


def test_failures_that_cannot_be_named_are_kept_without_a_name():
    body = {**stored("1.1"), "0008119A": sequence(item("", x00081197=49152), item("9"))}
    answer = read(body, 202)
    assert [(one.instance_uid, one.code) for one in answer.verdicts if not one.stored] == [
        ("", 49152),
        ("", None),
    ]
    assert not answer.silent
    assert read({"0008119A": sequence(item("", x00081197=49152))}, 409).silent


def test_an_answer_that_contradicts_itself_says_the_failure_last():
    answer = read({**failed("1.1", reason=272), **stored("1.1")})
    assert [one.stored for one in answer.verdicts] == [True, False]


def test_a_failure_reason_among_what_is_stored_is_a_failure():
    assert told(read(stored("1.1", x00081197=45070))) == {"1.1": (False, 45070)}
    assert told(read(stored("1.1", x00081197=0))) == {"1.1": (True, None)}


@pytest.mark.parametrize("code", [45056, 45062, 45063, 1, 0xB110])
def test_warnings_are_kept_and_the_object_is_stored(code):
    (verdict,) = read(stored("1.1", x00081196=code), 202).verdicts
    assert (verdict.stored, verdict.warning, verdict.code) == (True, True, code)


def test_a_warning_of_nought_is_none():
    (verdict,) = read(stored("1.1", x00081196=0)).verdicts
    assert (verdict.warning, verdict.code) == (False, None)


def test_the_archive_s_own_words():
    body = failed("1.1", reason=0xA778)
    body["00081198"]["Value"][0]["00000902"] = {"vr": "LO", "Value": ["Patient  ID\nconflicts"]}
    assert read(body, 409).verdicts[0].comment == "Patient ID conflicts"


def test_the_words_of_azure_on_single_values():
    body = failed("1.1", reason=43264)
    words = [{"00000902": {"vr": "LO", "Value": [text]}} for text in ("no UID", "too long")]
    body["00081198"]["Value"][0]["00741048"] = sequence(*words)
    assert read(body, 409).verdicts[0].comment == "no UID; too long"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        (272, 272),
        (272.0, 272),
        ("272", 272),
        (" 272 ", 272),
        ("0110", 272),  # early Orthanc: as the standard prints it
        ("A700", 0xA700),
        ("0xA700", 0xA700),
        ("c122H", 0xC122),
        ("1000", 1000),
        ("45070", 45070),
        ("many", None),
        (-1, None),
        (65536, None),
        (1.5, None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_codes_however_they_are_written(written, code):
    assert told(read(failed("1.1", reason=written) if written is not None else failed("1.1"))) == {
        "1.1": (False, code)
    }


# Forms of a body ------------------------------------------------------------------------------

_XML = """<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
  <DicomAttribute tag="00081190" vr="UR" keyword="RetrieveURL">
    <Value number="1">http://a/studies/1</Value></DicomAttribute>
  <DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence"><Item number="1">
      <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2</Value></DicomAttribute>
      <DicomAttribute tag="00081197" vr="US"><Value number="1">42752</Value></DicomAttribute>
      <DicomAttribute tag="00000902" vr="LO"><Value number="1">grö&#223;er</Value></DicomAttribute>
  </Item></DicomAttribute>
  <DicomAttribute tag="00081199" vr="SQ"><Item number="1">
      <DicomAttribute tag="00081155" vr="UI"><Value number="1"> 1.1 </Value></DicomAttribute>
  </Item></DicomAttribute>
</NativeDicomModel>"""
_TOLD = {"1.1": (True, None), "1.2": (False, 42752)}


@pytest.mark.parametrize("status", [200, 202, 400, 409])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/dicom+xml", _XML.encode()),
        ("application/dicom+xml; charset=UTF-8", _XML.encode()),
        ('application/dicom+xml; charset="iso-8859-1"', _XML.encode("latin-1")),
        ("application/xml", b'<?xml version="1.0" encoding="latin-1"?>' + _XML.encode("latin-1")),
        ("", b'\r\n<?xml version="1.0" encoding="UTF-8"?>\r\n' + _XML.encode()),
        ("text/xml", ('<?xml version="1.0" encoding="utf-16"?>' + _XML).encode("utf-16")),
        ("text/xml", b'<?xml version="1.0" encoding="utf-16"?>' + _XML.encode()),  # .NET
        ("application/json", b"\xef\xbb\xbf" + _XML.encode()),  # a type that lies
        (
            "x",
            _XML.replace("<", "<n:").replace("<n:/", "</n:").replace("xmlns=", "xmlns:n=").encode(),
        ),
    ],
)
def test_xml(content_type, body, status):
    answer = read_answer(status, content_type, body)
    assert told(answer) == _TOLD
    assert answer.verdicts[1].comment == "größer"


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/dicom+json", "utf-8"),
        ("application/dicom+json; charset=utf-8", "utf-8"),
        ('application/json;charset="UTF-8"', "utf-8-sig"),
        ("application/json; charset=iso-8859-1", "latin-1"),
        ("application/json; charset=utf-16", "utf-16"),
        ("application/json; charset=utf-16", "utf-16-le"),
        ("application/json; charset=utf-16", "utf-8"),  # a charset that lies
        ("application/json; charset=klingon", "utf-8"),
        ("application/json; charset=hex", "utf-8"),
        ("", "utf-8"),
        ("nonsense", "utf-8"),
        ("text/html", "utf-8"),
        ("application/dicom+xml", "utf-8"),
    ],
)
def test_json_in_any_character_set_and_under_any_type(content_type, encoding):
    body = {**stored("1.1"), **failed("1.2", reason=42752)}
    body["00081198"]["Value"][0]["00000902"] = {"vr": "LO", "Value": ["größer"]}
    answer = read_answer(409, content_type, json.dumps(body, ensure_ascii=False).encode(encoding))
    assert told(answer) == _TOLD
    assert answer.verdicts[1].comment == "größer"


def test_tags_in_small_letters():
    body = json.dumps({"0008119a": sequence(item("")), **stored("1.1")}).lower()
    assert len(read(body.replace("value", "Value").encode()).verdicts) == 2


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"success", "text/plain", "success"),  # DCM.js
        (b"", "", ""),
        (b"  \r\n", "application/dicom+json", ""),
        (b"{}", _JSON, "{}"),
        (b"[]", _JSON, "[]"),
        (b"null", _JSON, "null"),
        (b'{"00081190": {"vr": "UR", "Value": ["http://a"]}}', _JSON, ""),
        (b'{"00081199": {"vr": "SQ"}, "00081198": {"vr": "SQ", "Value": []}}', _JSON, ""),
        (b'{"00081199": {"vr": "SQ", "Value": [null, 3, "x", [], {}]}}', _JSON, ""),
        (b'{"error": {"code": 409}}', "application/json", '{"error": {"code": 409}}'),  # Google
        (b'{"00081199": {"vr": "SQ", "Val', _JSON, '{"00081199": {"vr": "SQ", "Val'),
        (_XML[:-30].encode(), "application/dicom+xml", None),
        (b"<html><style>b {}</style><b>Log&nbsp;in</b></html>", "text/html", "Log in"),
        (b'<!DOCTYPE x [<!ENTITY a "aa">]><NativeDicomModel/>', "application/xml", None),
        (b"gr\xf6\xdfer", "text/plain; charset=latin-1", "größer"),
        (b"gr\xf6\xdfer", "text/plain", "gr��er"),
        (b"[" * 200_000, _JSON, None),
        (b'{"00081199":{"Value":[' * 50_000, _JSON, None),
        (b"[" + b"9" * 5000 + b"]", _JSON, None),
    ],
)
@pytest.mark.parametrize("status", [200, 202, 400, 409])
def test_what_names_nothing_is_silent(body, content_type, text, status):
    answer = read_answer(status, content_type, body)
    assert answer.silent
    assert not any(one.stored for one in answer.verdicts)
    if text is not None:
        assert answer.text == text
    assert len(answer.text) <= 1001


def test_xml_of_entities_is_refused():
    bomb = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    with pytest.raises(ValueError, match="document type"):
        read_xml(bomb)


_texts = st.text(max_size=20)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["00081199", "00081198", "0008119A", "00081155", "00081197", "Value", "vr", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(
    st.integers(100, 599),
    _texts | st.sampled_from([_JSON, "application/dicom+xml", "text/plain; charset=idna"]),
    st.binary(max_size=200)
    | _values.map(lambda value: json.dumps(value).encode())
    | st.text(alphabet='<>/ "=?!&;NativeDicomModelItemValuetag0819', max_size=200).map(str.encode)
    | st.tuples(st.just(_XML), st.integers(0, len(_XML)), _texts).map(
        lambda cut: (cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :]).encode("utf-8", "replace")
    ),
)
def test_whatever_comes_nothing_is_raised(status, content_type, body):
    answer = read_answer(status, content_type, body)
    assert answer.status == status
    assert answer.silent == (not any(one.instance_uid for one in answer.verdicts))
    for one in answer.verdicts:
        assert one.code is None or 0 < one.code <= 0xFFFF


@given(_texts)
def test_text_is_datasets_or_none(text):
    assert isinstance(datasets_of(text), list)


# Codes in words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "then", "words"),
    [
        (272, "again", "general failure"),
        (273, "look", "there already"),
        (290, "never", "SOP class"),
        (292, "never", "not authorised"),
        (0xA700, "later", "space or memory"),
        (0xA7FE, "later", "space or memory"),
        (43264, "never", "SOP class"),
        (43265, "never", "another study"),  # Azure
        (45070, "look", "there already"),
        (45071, "look", "half created"),
        (49152, "never", "cannot understand"),
        (0xC999, "never", "cannot understand"),
        (49442, "never", "transfer syntax"),
        (45056, "stored", "changed"),
        (45062, "stored", "left out"),
        (45063, "stored", "SOP class"),
        (0xB100, "stored", "AWS"),
        (0xBABE, "stored", "warning"),
        (0xA771, "never", "rejected there before"),  # dcm4chee
        (0xA774, "never", "rejected already"),
        (0xA777, "never", "no PatientID"),
        (0xA778, "never", "another PatientID"),
        (0xA779, "never", "other attributes"),
        (531, "later", "short of resources"),
        (12345, "again", "12345 (3039 hexadecimal)"),
        (0, "again", "0"),
    ],
)
def test_codes_in_words(code, then, words):
    assert meaning(code).then == then
    assert words in meaning(code).words


def test_every_code_has_a_meaning():
    for code in range(0x10000):
        one = meaning(code)
        assert one.words
        assert not one.words.endswith(".")
        assert one.then in {"stored", "again", "later", "never", "look"}


# Receipts -------------------------------------------------------------------------------------


def one(uid, state, **more):
    return InstanceReceipt(instance_uid=uid, state=state, **more)


def test_a_receipt_counts_and_is_plain_json():
    receipt = Receipt(
        (
            one("1", "stored", proof="answer", warnings=("some values were changed",)),
            one("2", "already there", proof="compared"),
            one("3", "failed", code=272, reason="a general failure", comment="no"),
            one("4", "cancelled"),
        )
    )
    assert (receipt.stored, receipt.already, receipt.failed, receipt.ok) == (1, 1, 1, False)
    plain = json.loads(json.dumps(receipt.to_dict()))
    assert (plain["stored"], plain["already"], plain["failed"], plain["ok"]) == (1, 1, 1, False)
    assert plain["items"][2] == {
        "instance_uid": "3",
        "state": "failed",
        "code": 272,
        "reason": "a general failure",
        "comment": "no",
        "warnings": [],
        "proof": "",
    }
    text = str(receipt)
    assert text.startswith("4 objects: 1 stored, 1 already there, 1 failed, 1 cancelled.")
    assert "  3: failed, a general failure (the archive says: no)" in text
    assert "  1: " not in text


def test_a_receipt_that_is_good():
    assert Receipt((one("1", "stored"), one("2", "already there"))).ok
    assert str(Receipt((one("1", "stored"), one("2", "stored")))) == "2 objects: all stored."
    assert str(Receipt(())) == "0 objects: nothing to store."
    assert not Receipt((one("1", "queued"),)).ok


def test_a_store_error_names_the_first_failures_and_travels():
    receipt = Receipt(tuple(one(f"1.{n}", "failed", reason="out of space") for n in range(20)))
    error = StoreError(receipt)
    assert "1.0: failed, out of space" in str(error)
    assert "1.4: failed" in str(error)
    assert "1.5: failed" not in str(error)
    assert "and 15 more" in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is StoreError
    assert (copy.receipt, str(copy)) == (receipt, str(error))
