from __future__ import annotations

from xml.etree import ElementTree

from server.faults.asking import DICOM_JSON, FAILED, GARBAGE, REFERENCED, another, uids
from server.making import dicom

from wsiweb.server.faults.native import native_xml

FIRST = dicom("1.1")
SPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
ERRORS = {"body": b"", "Content_Type": "text/plain"}


def _values(element, *tags):
    """Follow tags into an XML dataset, through first items, to the values."""
    for number, tag in enumerate(tags):
        if number:
            element = element.find(f"{SPACE}Item[@number='1']")
        element = element.find(f"{SPACE}DicomAttribute[@tag='{tag}']")
    return element, [one.text for one in element.findall(f"{SPACE}Value")]


def test_xml_says_the_same_as_json(bad):
    archive = bad("xml")
    answer = archive.post(FIRST, Accept=DICOM_JSON)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/dicom+xml")
    root = ElementTree.fromstring(answer.body)
    assert root.tag == f"{SPACE}NativeDicomModel"
    uid, values = _values(root, REFERENCED, "00081155")
    assert (uid.get("vr"), uid.get("keyword"), values) == (
        "UI",
        "ReferencedSOPInstanceUID",
        ["1.1"],
    )
    assert archive.held == {"1.1": FIRST}
    answer = archive.post(another("1.1"))
    assert answer.status == 409
    assert _values(ElementTree.fromstring(answer.body), FAILED, "00081197")[1] == ["273"]
    assert archive.post(**ERRORS).status == 415


def test_xml_may_obey(bad):
    archive = bad("xml:obeys=yes")
    kinds = {
        accept: archive.post(FIRST, **accept_header).headers["content-type"]
        for accept, accept_header in {
            "": {},
            "*/*": {"Accept": "*/*"},
            "json": {"Accept": DICOM_JSON},
        }.items()
    }
    xml = "application/dicom+xml"
    assert kinds == {"": xml, "*/*": xml, "json": DICOM_JSON}


def test_native_xml_keeps_odd_texts():
    model = {
        "00000902": {"vr": "LO", "Value": ['<a & "b">']},
        "00090010": {"vr": "LO", "Value": ["private", "two"]},
        "00081199": {"vr": "SQ"},
    }
    root = ElementTree.fromstring(native_xml(model))
    assert _values(root, "00000902")[1] == ['<a & "b">']
    private, values = _values(root, "00090010")
    assert (private.get("keyword"), values) == (None, ["private", "two"])
    assert len(_values(root, "00081199")[0]) == 0


def test_in_a_list(bad):
    archive = bad("in-a-list")
    plain = bad().post(FIRST)
    (answer,) = archive.post(FIRST).json
    assert answer.keys() == plain.json.keys()
    assert archive.held == {"1.1": FIRST}
    assert list(archive.post(**ERRORS).json) == ["error"]


def test_a_text_tells_of_success_whatever_came(bad):
    archive = bad("text-answer")
    for body in (FIRST, another("1.1"), GARBAGE):
        answer = archive.post(body)
        assert (answer.status, answer.body) == (200, b"success")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert archive.held == {"1.1": FIRST}
    assert archive.post(**ERRORS).status == 415


def test_silent(bad):
    archive = bad("silent")
    for body in (FIRST, GARBAGE):
        answer = archive.post(body)
        assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
        assert "content-type" not in answer.headers
    assert archive.held == {"1.1": FIRST}
    assert archive.post(**ERRORS).status == 415


def test_no_content_type(bad):
    archive = bad("no-content-type")
    answer = archive.post(FIRST)
    assert (answer.status, uids(answer, REFERENCED)) == (200, ["1.1"])
    assert "content-type" not in answer.headers
    assert "content-type" not in archive.get().headers
    archive = bad("no-content-type:errors=yes")
    assert archive.post(FIRST).headers["content-type"] == DICOM_JSON
    answer = archive.post(another("1.1"))
    assert (answer.status, "content-type" in answer.headers) == (409, False)


def test_charset(bad):
    archive = bad("charset")
    answer = archive.post(FIRST)
    assert answer.headers["content-type"] == "application/dicom+json; charset=utf-8"
    assert uids(answer, REFERENCED) == ["1.1"]
    assert archive.post(**ERRORS).headers["content-type"] == "application/json; charset=utf-8"
    assert archive.get().headers["content-type"] == "application/dicom+json; charset=utf-8"
    path = "/studies/1.2.3/series/1.2.3.4/instances/1.1"
    assert archive.get(path, Accept="application/dicom").headers["content-type"] == (
        "application/dicom"
    )
