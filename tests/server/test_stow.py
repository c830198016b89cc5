from __future__ import annotations

import shutil
import socket
import subprocess
import time
from urllib.parse import urlsplit

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from hypothesis import given, settings
from hypothesis import strategies as st
from server.making import ask, dicom, element, encapsulated

from wsiweb.server import serve
from wsiweb.wire.multipart import Part, encode

_TYPE = 'multipart/related; type="application/dicom"; boundary=b'
_REFERENCED, _FAILED, _OTHER, _REASON = "00081199", "00081198", "0008119A", "00081197"


def post(server, *bodies, path="/studies", part_type="application/dicom", **headers):
    parts = [Part({"Content-Type": part_type} if part_type else {}, body) for body in bodies]
    headers.setdefault("Content_Type", _TYPE)
    return ask(server.url, path, "POST", b"".join(encode(parts, "b")), **headers)


def stored(answer):
    items = answer.json.get(_REFERENCED, {}).get("Value", [])
    return [one["00081155"]["Value"][0] for one in items]


def reasons(answer):
    return [
        one[_REASON]["Value"][0]
        for tag in (_FAILED, _OTHER)
        for one in answer.json.get(tag, {}).get("Value", [])
    ]


def everything(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.dcm")}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def server(folder):
    folder.mkdir()
    with serve(folder, stow=True, max_stow=2_000_000) as server:
        yield server
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert left == []


def test_what_is_stored_comes_back_byte_for_byte(server, folder):
    data = [dicom(f"1.{number}", series=f"1.2.3.{number % 2}") for number in range(5)]
    answer = post(server, *data)
    assert answer.status == 200
    assert stored(answer) == [f"1.{number}" for number in range(5)]
    assert answer.json["00081190"]["Value"] == [f"{server.url}/studies/1.2.3"]
    for number, body in enumerate(data):
        path = f"/studies/1.2.3/series/1.2.3.{number % 2}/instances/1.{number}"
        assert ask(server.url, path, Accept="application/dicom").body == body
        assert (folder / f"1.2.3/1.2.3.{number % 2}/1.{number}.dcm").read_bytes() == body
    assert len(ask(server.url, "/instances").json) == 5


def test_the_real_slide_from_dicomweb_client(cmu_folder, folder):
    folder.mkdir()
    files = sorted(cmu_folder.glob("*.dcm"))
    with serve(folder, stow=True) as server:
        client = DICOMwebClient(server.url)
        datasets = [pydicom.dcmread(file) for file in files]
        receipt = client.store_instances(datasets, study_instance_uid=datasets[0].StudyInstanceUID)
        assert len(receipt.ReferencedSOPSequence) == len(files)
        assert "FailedSOPSequence" not in receipt
        for dataset in datasets:
            uids = dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID
            assert client.retrieve_instance(*uids) == dataset


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("chunked", [False, True])
def test_the_real_slide_from_curl(cmu_folder, folder, tmp_path, chunked):
    folder.mkdir()
    file = max(cmu_folder.glob("*.dcm"), key=lambda one: one.stat().st_size)
    body = tmp_path / "body"
    body.write_bytes(
        b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file.read_bytes() + b"\r\n--b--"
    )
    more = ["-H", "Transfer-Encoding: chunked"] if chunked else []
    with serve(folder, stow=True) as server:
        command = [
            "curl",
            "-sf",
            "-H",
            f"Content-Type: {_TYPE}",
            *more,
            "--data-binary",
            f"@{body}",
        ]
        subprocess.run([*command, f"{server.url}/studies"], check=True, capture_output=True)
    assert list(everything(folder).values()) == [file.read_bytes()]


def test_a_single_instance_without_multipart(server, folder):
    answer = ask(server.url, "/studies", "POST", dicom("1.1"), Content_Type="application/dicom")
    assert (answer.status, stored(answer)) == (200, ["1.1"])


def test_the_same_again_is_a_success_and_another_object_is_a_conflict(server, folder):
    first = dicom("1.1")
    other = dicom("1.1", x00100020=element(0x00100020, "LO", "other"))
    assert post(server, first).status == 200
    again = post(server, first)
    assert (again.status, stored(again)) == (200, ["1.1"])
    clash = post(server, other)
    assert (clash.status, reasons(clash), stored(clash)) == (409, [273], [])
    moved = post(server, dicom("1.1", study="1.9", series="1.9.1"))
    assert (moved.status, reasons(moved)) == (409, [273])
    mixed = post(server, other, dicom("1.2"))
    assert (mixed.status, reasons(mixed), stored(mixed)) == (202, [273], ["1.2"])
    assert everything(folder)["1.2.3/1.2.3.4/1.1.dcm"] == first


def test_the_users_own_files_stay_as_they_are(server, folder):
    (folder / "mine.dcm").write_bytes(dicom("1.1"))
    time.sleep(2.1)  # the next look at the folder
    other = dicom("1.1", x00100020=element(0x00100020, "LO", "other"))
    assert post(server, other).status == 409
    assert post(server, dicom("1.1")).status == 200
    assert everything(folder) == {"mine.dcm": dicom("1.1")}


def test_a_place_that_is_taken_without_being_known_is_not_overwritten(server, folder):
    place = folder / "1.2.3" / "1.2.3.4" / "1.1.dcm"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    answer = post(server, dicom("1.1"))
    assert (answer.status, reasons(answer)) == (409, [273])
    assert place.read_bytes() == b"something else"


def test_the_wrong_study_and_what_is_no_dicom(server, folder):
    wrong = post(server, dicom("1.1"), dicom("1.2", study="1.9"), path="/studies/1.9")
    assert (wrong.status, reasons(wrong), stored(wrong)) == (202, [43264], ["1.2"])
    noise = post(server, b"no DICOM at all")
    assert (noise.status, reasons(noise), stored(noise)) == (409, [49152], [])
    text = post(server, dicom("1.3"), part_type="text/plain")
    assert (text.status, reasons(text)) == (409, [49152])
    cut = dicom("1.4", syntax="1.2.840.10008.1.2.4.50", pixels=encapsulated([b"\xff\xd8ab"])[:-12])
    assert reasons(post(server, cut)) == [49152]
    typed = post(server, dicom("1.5"), part_type="application/dicom; transfer-syntax=1.2")
    assert stored(typed) == ["1.5"]
    assert stored(post(server, dicom("1.6"), part_type="")) == ["1.6"]
    assert sorted(everything(folder)) == [
        "1.2.3/1.2.3.4/1.5.dcm",
        "1.2.3/1.2.3.4/1.6.dcm",
        "1.9/1.2.3.4/1.2.dcm",
    ]


def test_frames_that_are_not_understood_here_are_stored_all_the_same(server):
    video = "1.2.840.10008.1.2.4.102"
    film = dicom("1.1", syntax=video, frames=90, pixels=encapsulated([b"mp4 " * 9]))
    odd = dicom("1.2", frames=5, pixels=element(0x7FE00010, "OW", bytes(4)))
    answer = post(server, film, odd)
    assert (answer.status, stored(answer)) == (200, ["1.1", "1.2"])
    path = "/studies/1.2.3/series/1.2.3.4/instances/1.1"
    assert ask(server.url, path, Accept="application/dicom").body == film
    assert ask(server.url, f"{path}/frames/1").status == 404


@pytest.mark.parametrize("which", ["study", "series", "instance"])
def test_uids_never_become_paths_unchecked(server, folder, which):
    uids = {"study": "1.2.3", "series": "1.2.3.4", "instance": "1.1"}
    for uid in ("..", "../../x", "/etc/x", "1/2", ".", "1..2", "", "1" * 65, "1.\\..\\2", "é"):
        bad = uids | {which: uid}
        answer = post(server, dicom(bad["instance"], study=bad["study"], series=bad["series"]))
        assert (answer.status, reasons(answer)) == (409, [49152])
    assert everything(folder.parent) == {}


def test_too_much_is_413_with_and_without_a_length(server, folder):
    big = dicom("1.1", pixels=element(0x7FE00010, "OW", bytes(3_000_000)))
    assert post(server, big).status == 413

    def chunks():
        yield b"--b\r\nContent-Type: application/dicom\r\n\r\n"
        for start in range(0, len(big), 100_000):
            yield big[start : start + 100_000]
        yield b"\r\n--b--"

    assert ask(server.url, "/studies", "POST", chunks(), Content_Type=_TYPE).status == 413
    assert everything(folder) == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "application/json"}, 415),
        ({"Content_Type": 'multipart/related; type="application/dicom+xml"; boundary=b'}, 415),
        ({"Content_Type": "multipart/form-data; boundary=b"}, 415),
        ({"Content_Type": ""}, 415),
        ({"Content_Type": _TYPE, "Content_Encoding": "gzip"}, 415),
        ({"Content_Type": 'multipart/related; type="application/dicom"'}, 400),
        ({"Content_Type": _TYPE.replace("=b", "=other")}, 400),
        ({"Content_Type": _TYPE.replace("boundary=b", 'boundary="b"')}, 200),
        ({"Content_Type": "multipart/related;boundary=b"}, 200),
    ],
)
def test_kinds_of_bodies(server, headers, status):
    assert post(server, dicom("1.1"), **headers).status == status


def test_a_body_that_is_cut_off_stores_nothing(server, folder):
    whole = b"".join(encode([Part({}, dicom("1.1")), Part({}, dicom("1.2"))], "b"))
    answer = ask(server.url, "/studies", "POST", whole[:-20], Content_Type=_TYPE)
    assert answer.status == 400
    assert ask(server.url, "/studies", "POST", b"\r\n--b--\r\n", Content_Type=_TYPE).status == 400
    assert everything(folder) == {}


def _talk(server, head, body, *, breaks_off):
    """Send a request, or its beginning, and no more; return the beginning of the answer."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        lines = ["POST /studies HTTP/1.1", "Host: localhost", *head, "", ""]
        connection.sendall("\r\n".join(lines).encode() + body)
        if breaks_off:
            time.sleep(0.01)  # it takes what has come first
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(12)


_MANY = [dicom("1.1"), dicom("1.2")]
_WHOLE = b"".join(encode([Part({"Content-Type": "application/dicom"}, one) for one in _MANY], "b"))
_CHUNKS = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (_WHOLE[:400], _WHOLE[400:]))


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([f"Content-Type: {_TYPE}", f"Content-Length: {len(_WHOLE)}"], _WHOLE),
        ([f"Content-Type: {_TYPE}", "Transfer-Encoding: chunked"], _CHUNKS + b"0\r\n\r\n"),
        (["Content-Type: application/dicom", f"Content-Length: {len(_MANY[0])}"], _MANY[0]),
    ],
    ids=["with a length", "in chunks", "a single instance"],
)
def test_a_connection_may_break_at_any_byte_and_nothing_is_stored(
    folder, caplog, monkeypatch, headers, body
):
    monkeypatch.setattr("wsiweb.server.app._CHUNK", 1)  # what has come is written at once
    folder.mkdir()
    with serve(folder, stow=True) as server:
        # Each of the last bytes: there the parts are whole already, and the body is not.
        for sent in (*range(0, len(body) - 60, 23), *range(len(body) - 60, len(body))):
            assert _talk(server, headers, body[:sent], breaks_off=True) == b""
    assert list(folder.iterdir()) == []  # not even what the server worked with
    assert caplog.records == []
    with serve(folder, stow=True) as server:
        assert _talk(server, headers, body, breaks_off=False) == b"HTTP/1.1 200"
        assert everything(folder)


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    with serve(folder, stow=True) as server:
        folder.rename(tmp_path / "moved")
        answer = post(server, dicom("1.1"))
    assert answer.status == 500
    assert "could not be written" in answer.json["error"]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_whatever_is_sent_is_answered(cmu_stow, draw):
    body = draw.draw(
        st.binary(max_size=300)
        | st.binary(max_size=100).map(lambda data: b"--b\r\n\r\n" + data + b"\r\n--b--")
        | st.lists(st.binary(max_size=50)).map(b"--b\r\n".join)
    )
    answer = ask(cmu_stow.url, "/studies", "POST", body, Content_Type=_TYPE)
    assert answer.status in {400, 409}


@pytest.fixture(scope="module")
def cmu_stow(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("stow"), stow=True) as server:
        yield server
