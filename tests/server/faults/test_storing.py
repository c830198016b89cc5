from __future__ import annotations

import gzip
import socket

import pytest
from server.faults.asking import (
    CLOSED,
    FAILED,
    GARBAGE,
    REFERENCED,
    TYPE,
    another,
    body_of,
    connected,
    talk,
    uids,
)
from server.making import dicom

from wsiweb.wire.multipart import Part, encode

FIRST, SECOND = dicom("1.1"), dicom("1.2", series="1.2.3.5")
NOTHING = {FAILED: {"vr": "SQ"}, REFERENCED: {"vr": "SQ"}}


def test_the_forgetful_names_what_it_forgets(bad):
    archive = bad("forgetful:times=1")
    answer = archive.post(FIRST, SECOND, GARBAGE)
    assert (answer.status, uids(answer, REFERENCED)) == (200, ["1.1", "1.2"])
    urls = [one["00081190"]["Value"][0] for one in answer.json[REFERENCED]["Value"]]
    assert urls[1] == f"{archive.url}/studies/1.2.3/series/1.2.3.5/instances/1.2"
    assert archive.held == {}
    assert archive.get().json == []
    assert answer.json == archive.post(FIRST, SECOND).json  # as if it were true


def test_the_forgetful_may_name_nothing(bad):
    archive = bad("forgetful:named=no")
    answer = archive.post(FIRST)
    assert (answer.status, answer.json) == (200, NOTHING)
    assert archive.held == {}


def test_the_forgetful_forgets_a_single_object(bad):
    archive = bad("forgetful")
    answer = archive.post(body=FIRST, Content_Type="application/dicom")
    assert (answer.status, uids(answer, REFERENCED), archive.held) == (200, ["1.1"], {})


def test_too_large_by_its_length(bad):
    limit = len(body_of(FIRST))
    archive = bad(f"too-large:most={limit},body=read")
    assert archive.post(FIRST).status == 200
    answer = archive.post(dicom("1.2"), dicom("1.3"))
    assert (answer.status, answer.headers["content-type"]) == (413, "text/plain")
    assert archive.held == {"1.1": FIRST}


def test_too_large_is_said_before_the_body_has_come(bad):
    archive = bad("too-large:most=1000")
    head = ["POST /studies HTTP/1.1", f"Content-Type: {TYPE}", "Content-Length: 1001"]
    came = talk(archive.url, head, b"--b")
    assert came.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in came
    assert archive.held == {}


@pytest.mark.parametrize("body", ["unread", "discarded", "read"])
def test_too_large_without_a_length(bad, body):
    archive = bad(f"too-large:most={len(body_of(FIRST))},body={body}")

    def chunks(*objects):
        whole = body_of(*objects)
        return (whole[at : at + 100] for at in range(0, len(whole), 100))

    def post(*objects):
        return archive.post(body=chunks(*objects))

    assert post(FIRST).status == 200
    try:
        assert post(dicom("1.2"), dicom("1.3")).status == 413
    except CLOSED:  # some of it came after the connection was closed
        assert body == "unread"
    assert archive.held == {"1.1": FIRST}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (TYPE, 200),
        ("multipart/related; boundary=b", 415),
        ('multipart/related; type="application/dicom+json"; boundary=b', 415),
        ("application/dicom", 415),
        ("a b", 415),
    ],
)
def test_needs_type(bad, content_type, status):
    archive = bad("needs-type")
    answer = archive.post(FIRST, Content_Type=content_type)
    assert answer.status == status
    assert archive.held == ({"1.1": FIRST} if status == 200 else {})
    if status == 415:
        assert answer.json["HttpStatus"] == 415


def test_blind_to_gzip(bad):
    archive = bad("blind-to-gzip")
    packed = gzip.compress(body_of(FIRST))
    answer = archive.post(body=packed, Content_Encoding="gzip")
    assert (answer.status, answer.json, archive.held) == (200, NOTHING, {})
    assert archive.post(FIRST).status == 200
    assert archive.held == {"1.1": FIRST}


def _typed(*kinds):
    """Return a body of objects 1.0, 1.1, …, of which each has a type, or has none."""
    objects = [dicom(f"1.{number}") for number in range(len(kinds))]
    heads = [{"Content-Type": kind} if kind else {} for kind in kinds]
    return b"".join(encode(map(Part, heads, objects), "b"))


@pytest.mark.parametrize("odd", ["", "text/plain", "application/dicom; transfer-syntax=1.2"])
def test_parts_of_an_odd_type_are_skipped(bad, odd):
    kind = "application/dicom"
    archive = bad("skips-odd-parts")
    answer = archive.post(body=_typed(odd))
    assert (answer.status, answer.json, archive.held) == (200, NOTHING, {})
    answer = archive.post(body=_typed(kind, odd, kind))
    stored = ["1.0"] if odd else ["1.0", "1.2"]  # a type that is odd ends all
    assert (answer.status, uids(answer, REFERENCED)) == (200, stored)
    assert sorted(archive.held) == stored
    assert archive.post(body=_typed(kind, kind, kind)).status == 200
    assert len(archive.held) == 3


def test_bodies_that_are_no_parts_are_left_to_the_server(bad):
    archive = bad("skips-odd-parts", "cut-accepted")
    assert archive.post(body=FIRST, Content_Type="application/dicom").status == 200
    assert archive.post(body=b"--b\r\nno header\r\n\r\n", Content_Type=TYPE).status == 400
    assert archive.post(FIRST, Content_Type="multipart/related").status == 400
    assert archive.held == {"1.1": FIRST}


def test_a_body_without_its_end_is_accepted(bad):
    archive = bad("cut-accepted")
    answer = archive.post(body=body_of(FIRST, SECOND)[:-20])
    assert (answer.status, uids(answer, REFERENCED)) == (200, ["1.1"])
    assert archive.held == {"1.1": FIRST}
    answer = archive.post()
    assert (answer.status, answer.json) == (200, NOTHING)
    answer = archive.post(body=body_of(SECOND)[:-20])
    assert (answer.status, answer.json) == (200, NOTHING)
    assert archive.held == {"1.1": FIRST}
    assert archive.post(another("1.3"), SECOND).status == 200
    assert sorted(archive.held) == ["1.1", "1.2", "1.3"]


@pytest.mark.parametrize(
    "name", ["forgetful", "needs-type", "blind-to-gzip", "skips-odd-parts", "duplicate"]
)
def test_a_body_that_breaks_off_is_answered_by_nobody(bad, name):
    """The fixture sees to it that nothing is logged, `held` that nothing is left."""
    archive = bad(name)
    odd = "Content-Type: multipart/related" if name == "needs-type" else f"Content-Type: {TYPE}"
    head = ["POST /studies HTTP/1.1", odd, "Content-Length: 5000", "Content-Encoding: gzip"]
    with connected(archive.url) as connection:
        connection.sock = socket.create_connection((connection.host, connection.port))
        connection.sock.sendall("\r\n".join([*head, "Host: localhost", "", "--b"]).encode())
    assert archive.get().status == 200
    assert archive.held == {}
