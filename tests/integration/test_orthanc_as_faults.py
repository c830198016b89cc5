"""The set of faults named after Orthanc, judged by Orthanc: both are sent the same."""

from __future__ import annotations

import base64
import gzip
import json
import time

import pytest
from server.faults.asking import FAILED, GARBAGE, REFERENCED, TYPE, another, body_of
from server.making import ask

from wsiweb.server import serve
from wsiweb.wire.multipart import Part, encode
from wsiweb.wire.uris import split_base


def _parts(*typed):
    parts = [Part({"Content-Type": kind} if kind else {}, one) for kind, one in typed]
    return b"".join(encode(parts, "b"))


def _object(number, **more):
    # One study of one patient: Orthanc has another study for each patient, whatever the UID.
    return another(f"1.{number}", patient="P", **more)


DICOM = "application/dicom"
STUDY = "/studies/1.2.3"
STORED = {"1": _object(1)}
REQUESTS = {
    "one": {"body": body_of(_object(2), _object(3))},
    "the same again": {"body": body_of(STORED["1"])},
    "another under its UID": {"body": body_of(_object(1, shape=(4, 4)))},
    "garbage": {"body": body_of(GARBAGE)},
    "good and garbage": {"body": body_of(_object(2), GARBAGE, _object(3))},
    "wrong study": {"body": body_of(_object(2, study="1.9")), "path": STUDY},
    "wrong and right": {"body": body_of(_object(2, study="1.9"), _object(3)), "path": STUDY},
    "text first": {"body": _parts(("text/plain", b"hello"), (DICOM, _object(2)))},
    "text amidst": {
        "body": _parts((DICOM, _object(2)), ("text/plain", b"hello"), (DICOM, _object(3)))
    },
    "syntax in the type": {"body": body_of(_object(2), part_type=f"{DICOM}; transfer-syntax=1.2")},
    "no type of a part": {"body": body_of(_object(2), part_type="")},
    "one type missing": {"body": _parts(("", _object(2)), (DICOM, _object(3)))},
    "no type=": {"body": body_of(_object(2)), "Content_Type": "multipart/related; boundary=b"},
    "a single object": {"body": _object(2), "Content_Type": DICOM},
    "no Content-Type": {"body": body_of(_object(2)), "Content_Type": ""},
    "gzip": {"body": gzip.compress(body_of(_object(2))), "Content_Encoding": "gzip"},
    "cut off": {"body": body_of(_object(2), _object(3))[:-20]},
    "nothing": {"body": body_of()},
}


def _told(answer):
    """Return what of an answer has to be the same: all but words, order and spaces."""
    try:
        model = json.loads(answer.body)
    except ValueError:
        model = {}
    sequences = {
        tag: sorted(
            (one.get("00081155", {}).get("Value"), one.get("00081197", {}).get("Value"))
            for one in model.get(tag, {}).get("Value", [])
        )
        for tag in (FAILED, REFERENCED)
        if tag in model
    }
    return answer.status, answer.headers.get("content-type"), sequences


class _Asked:
    """An archive that holds one object."""

    def __init__(self, url, **headers):
        self.base = split_base(url)
        self.path = "" if self.base.count("/") == 2 else "/" + self.base.split("/", 3)[3]
        self.headers = headers
        assert self.post(body=body_of(STORED["1"])).status == 200

    def post(self, *, body, path="/studies", **headers):
        headers = {"Content_Type": TYPE, "Accept": "application/dicom+json", **headers}
        return ask(self.base, self.path + path, "POST", body, **headers, **self.headers)

    def listed(self):
        found = ask(self.base, f"{self.path}/instances", **self.headers).json
        return sorted(one["00080018"]["Value"][0] for one in found)


@pytest.fixture
def real(orthanc):
    credentials = base64.b64encode(f"{orthanc.user}:{orthanc.password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}

    def empty():
        for one in ask(orthanc.root, "/patients", **headers).json:
            ask(orthanc.root, f"/patients/{one}", "DELETE", **headers)

    empty()  # of what other tests have left
    yield _Asked(orthanc.url, **headers)
    empty()
    time.sleep(0.05)


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_double_does_as_orthanc_does(real, tmp_path, request_):
    with serve(tmp_path, stow=True, faults=["orthanc-1.10"]) as server:
        double = _Asked(server.url)
        sent = REQUESTS[request_]
        assert _told(double.post(**sent)) == _told(real.post(**sent))
        assert double.listed() == real.listed()
