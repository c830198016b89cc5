"""Whole objects into files, from the embedded server on good days and bad ones."""

from __future__ import annotations

import tracemalloc

import pydicom
import pytest
from faulty import Fault

import wsiweb
from wsiweb import loop, synthetic
from wsiweb.server import serve
from wsiweb.wire.multipart import Part, encode

QUICK = wsiweb.Settings(retries=1, read_timeout=2, connect_timeout=2)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "object.dcm"


def fetched(server, made, path, settings=QUICK, uid=None):
    """Fetch the first level of the slide; return the bytes of its own file."""
    own = made.levels[0]
    uid = uid or str(pydicom.dcmread(own, stop_before_pixels=True).SOPInstanceUID)
    with wsiweb.connect(server.url, settings=settings) as archive:
        loop.run(archive._client.instance(made.study_uid, made.series_uid, uid, path))
    return own.read_bytes()


def test_an_object_comes_as_it_is_stored(made_server, made, target):
    assert fetched(made_server, made, target) == target.read_bytes()
    assert list(target.parent.iterdir()) == [target]


def test_so_it_does_from_a_folder(made_folder, made, target):
    uid = str(pydicom.dcmread(made.levels[0], stop_before_pixels=True).SOPInstanceUID)
    with wsiweb.connect(made_folder) as archive:
        loop.run(archive._client.instance(made.study_uid, made.series_uid, uid, target))
    assert target.read_bytes() == made.levels[0].read_bytes()


def test_a_file_of_that_name_is_replaced(made_server, made, target):
    target.write_bytes(b"old")
    assert fetched(made_server, made, target) == target.read_bytes()


def test_memory_holds_a_piece_at_a_time(tmp_path, target):
    native = "1.2.840.10008.1.2.1"
    large = synthetic.write_slide(
        tmp_path / "large", 4000, 3000, transfer_syntax=native, levels=[1], thumbnail=False
    )
    with serve(tmp_path / "large") as server:
        uid = str(pydicom.dcmread(large.levels[0], stop_before_pixels=True).SOPInstanceUID)
        with wsiweb.connect(server.url) as archive:
            tracemalloc.start()
            coroutine = archive._client.instance(large.study_uid, large.series_uid, uid, target)
            loop.run(coroutine)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert target.stat().st_size > 36_000_000
    assert peak < 12_000_000  # of the server in this process, too, and of sockets that fill up


@pytest.mark.parametrize("status", [400, 406, 415])
def test_an_archive_that_knows_no_parameter_is_asked_without_it(faulty, made, target, status):
    app, server = faulty(Fault("/instances/", status=status, times=1))
    assert fetched(server, made, target) == target.read_bytes()
    accepts = [headers["accept"] for _, _, headers in app.log]
    assert ["transfer-syntax=*" in accept for accept in accepts] == [True, False]


def test_a_single_part_is_an_object_too(faulty, made, target):
    whole = made.levels[0].read_bytes()
    headers = {"content-type": "application/dicom"}
    _, server = faulty(Fault("/instances/", headers=headers, body=lambda _: whole))
    fetched(server, made, target)
    assert target.read_bytes() == whole


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/instances/", status=503, times=1),
        Fault("/instances/", keep=50_000, times=1),
        Fault("/instances/", cut=50_000, times=1),
        Fault("/instances/", body=lambda _: b"", times=1),
    ],
    ids=["busy", "cut short", "broken off", "empty"],
)
def test_what_may_pass_is_tried_again_from_the_beginning(faulty, made, target, fault):
    app, server = faulty(fault)
    assert fetched(server, made, target) == target.read_bytes()
    assert len(app.log) == 2


def two_objects(body):
    boundary = body[4 : body.index(b"\r\n", 4)].decode()
    return b"".join(encode([Part({}, bytes(128) + b"DICM")] * 2, boundary))


REFUSED = {
    "a page": (
        Fault("/instances/", headers={"content-type": "text/html"}, body=lambda _: b"log in " * 40),
        "something else came.*log in",
    ),
    "two objects": (Fault("/instances/", body=two_objects), "several came"),
    "nothing": (
        Fault("/instances/", headers={"content-type": "application/dicom"}, body=lambda _: b""),
        "nothing came",
    ),
    "cut short": (Fault("/instances/", keep=50_000), "cut off"),
    "no boundary": (
        Fault("/instances/", headers={"content-type": "multipart/related"}),
        "is not a multipart boundary",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_whole_object_is_refused_and_leaves_nothing(faulty, made, target, case):
    fault, words = REFUSED[case]
    _, server = faulty(fault)
    with pytest.raises(wsiweb.ProtocolError, match=words):
        fetched(server, made, target)
    assert list(target.parent.iterdir()) == []


def test_what_is_not_there_is_not_found(made_server, made, target):
    with pytest.raises(wsiweb.NotFound):
        fetched(made_server, made, target, uid="1.2.3")
    assert list(target.parent.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(made_server, made, tmp_path):
    with pytest.raises(FileNotFoundError):
        fetched(made_server, made, tmp_path / "none" / "object.dcm")
