"""What Orthanc answers to STOW requests, and what we make of it: each row of it that is known."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import os
import time
import urllib.error
import urllib.request
import uuid

import pytest
from server.making import dicom, element

import wsiweb
from wsiweb import loop
from wsiweb.client.stow import Body, Sendable
from wsiweb.wire.multipart import Part, encode
from wsiweb.wire.receipts import read_answer

_TYPE = 'multipart/related; type="application/dicom"; boundary=b'
_JSON = "application/dicom+json"


@pytest.fixture
def uids():
    """UIDs that no other test has: all of them share one Orthanc."""
    root = f"2.25.{uuid.uuid4().int}"[:50]
    return (f"{root}.{number}" for number in itertools.count())


@pytest.fixture
def archive(orthanc):
    with wsiweb.connect(orthanc.url, auth=(orthanc.user, orthanc.password)) as archive:
        yield archive


def patient(name):
    return {"x00100020": element(0x00100020, "LO", name)}


def files(folder, *contents):
    paths = [folder / f"{uuid.uuid4().hex}.dcm" for _ in contents]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [Sendable(path, path.stat().st_size) for path in paths]


def store(archive, folder, *contents, **given):
    return loop.run(archive._client.store(files(folder, *contents), **given))


def listed(orthanc, uid):
    """How many instances of this UID QIDO lists."""
    return len(json.loads(orthanc.get(f"{orthanc.url}/instances?SOPInstanceUID={uid}") or b"[]"))


def content(archive, folder, study, series, uid):
    """The object as Orthanc sends it."""
    path = folder / "fetched.dcm"
    loop.run(archive._client.instance(study, series, uid, path))
    return path.read_bytes()


def post(orthanc, body, **headers):
    """One request by urllib, not by our client; returns our reading of the answer."""
    token = base64.b64encode(f"{orthanc.user}:{orthanc.password}".encode()).decode()
    named = {"Content-Type": _TYPE, "Accept": _JSON, "Authorization": f"Basic {token}", **headers}
    named = {name: value for name, value in named.items() if value}
    request = urllib.request.Request(f"{orthanc.url}/studies", body, named)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, kind, data = answer.status, answer.headers["content-type"], answer.read()
    except urllib.error.HTTPError as error:
        status, kind, data = error.code, error.headers["content-type"], error.read()
    return read_answer(status, kind or "", data)


def multipart(*contents, part_type="application/dicom"):
    headers = {"Content-Type": part_type} if part_type else {}
    return b"".join(encode([Part(headers, one) for one in contents], "b"))


def told(answer):
    return {one.instance_uid: (one.stored, one.code) for one in answer.verdicts}


# What we send ---------------------------------------------------------------------------------


def test_all_is_stored_and_named(archive, orthanc, tmp_path, uids):
    study, series, *instances = itertools.islice(uids, 7)
    objects = [dicom(uid, study=study, series=series) for uid in instances]
    answer = store(archive, tmp_path, *objects)
    assert (answer.status, answer.silent) == (200, False)
    assert told(answer) == dict.fromkeys(instances, (True, None))
    assert [listed(orthanc, uid) for uid in instances] == [1] * 5


def test_the_real_slide(archive, orthanc, cmu_folder):
    paths = sorted(cmu_folder.glob("*.dcm"))
    sent = [Sendable(path, path.stat().st_size) for path in paths]
    answer = loop.run(archive._client.store(sent))
    assert answer.status == 200
    assert len(answer.verdicts) == len(paths)
    assert all(one.stored for one in answer.verdicts)


def test_a_study_may_be_named(archive, tmp_path, uids):
    study, one, two = itertools.islice(uids, 3)
    assert store(archive, tmp_path, dicom(one, study=study), study=study).status == 200
    answer = store(archive, tmp_path, dicom(two, study=study), study=one)
    assert (answer.status, told(answer)) == (409, {two: (False, 272)})


def test_a_duplicate_is_stored_says_orthanc(archive, orthanc, tmp_path, uids):
    study, series, uid = itertools.islice(uids, 3)
    same = dicom(uid, study=study, series=series)
    for _ in range(2):
        answer = store(archive, tmp_path, same)
        assert (answer.status, told(answer)) == (200, {uid: (True, None)})
    assert listed(orthanc, uid) == 1


def test_another_content_under_a_stored_uid_is_stored_says_orthanc_and_is_not(
    archive, orthanc, tmp_path, uids
):
    """So a 200 is no proof: what is there has to be compared."""
    study, series, uid = itertools.islice(uids, 3)
    first = dicom(uid, study=study, series=series, shape=(4, 4))
    store(archive, tmp_path, first)
    other = dicom(
        uid,
        study=study,
        series=series,
        shape=(4, 4),
        pixels=element(0x7FE00010, "OW", b"\7" * 16),
    )
    answer = store(archive, tmp_path, other)
    assert (answer.status, told(answer)) == (200, {uid: (True, None)})
    assert b"\7" * 16 not in content(archive, tmp_path, study, series, uid)


def test_good_ones_beside_garbage_are_stored_and_the_answer_is_400(
    archive, orthanc, tmp_path, uids
):
    study, one, two = itertools.islice(uids, 3)
    answer = store(
        archive, tmp_path, dicom(one, study=study), b"garbage" * 99, dicom(two, study=study)
    )
    assert answer.status == 400
    assert told(answer) == {one: (True, None), two: (True, None)}
    assert not any(not verdict.stored for verdict in answer.verdicts)  # nothing of the garbage
    assert [listed(orthanc, uid) for uid in (one, two)] == [1, 1]


def test_garbage_alone_is_an_error(archive, tmp_path):
    with pytest.raises(wsiweb.ArchiveError) as caught:
        store(archive, tmp_path, b"garbage" * 99)
    assert caught.value.status == 400


def test_another_patient_in_the_same_study_is_taken(archive, orthanc, tmp_path, uids):
    study, one, two = itertools.islice(uids, 3)
    store(archive, tmp_path, dicom(one, study=study, **patient("A")))
    answer = store(archive, tmp_path, dicom(two, study=study, **patient("B")))
    assert told(answer) == {two: (True, None)}
    studies = json.loads(orthanc.get(f"{orthanc.url}/studies?StudyInstanceUID={study}"))
    assert len(studies) == 2


def test_an_idle_connection_dies_and_is_not_used(archive, tmp_path, uids):
    for pause in (0, 0.3, 0.95, 1.0, 1.05, 1.5):
        time.sleep(pause)
        uid = next(uids)
        assert told(store(archive, tmp_path, dicom(uid))) == {uid: (True, None)}


def test_a_wrong_password_is_told_while_much_is_still_to_be_sent(orthanc, tmp_path, uids):
    large = dicom(next(uids), pixels=element(0x7FE00010, "OW", os.urandom(30_000_000)))
    with wsiweb.connect(orthanc.url, store_auth=("tester", "wrong")) as archive:
        for _ in range(5):
            with pytest.raises(wsiweb.Unauthorized, match="store_auth="):
                store(archive, tmp_path, large)


def test_a_large_object_comes_whole(archive, orthanc, tmp_path, uids):
    study, series, uid = itertools.islice(uids, 3)
    large = dicom(
        uid, study=study, series=series, pixels=element(0x7FE00010, "OW", os.urandom(50_000_000))
    )
    counts = []
    answer = store(archive, tmp_path, large, on_bytes=counts.append)
    assert told(answer) == {uid: (True, None)}
    assert counts[-1] > 50_000_000
    assert content(archive, tmp_path, study, series, uid) == large


# What we do not send, and why -----------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    ["gzip", "text first", "transfer syntax", "no part type"],
)
def test_forms_that_orthanc_answers_200_and_stores_nothing_of(orthanc, uids, form):
    uid = next(uids)
    one = dicom(uid)
    headers = {}
    match form:
        case "gzip":
            body = gzip.compress(multipart(one))
            headers = {"Content-Encoding": "gzip"}
        case "text first":
            note = Part({"Content-Type": "text/plain"}, b"hello")
            body = b"".join(encode([note, Part({"Content-Type": "application/dicom"}, one)], "b"))
        case "transfer syntax":
            body = multipart(
                one, part_type="application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
            )
        case _:
            body = multipart(one, part_type="")
    answer = post(orthanc, body, **headers)
    assert (answer.status, answer.silent) == (200, True)
    assert listed(orthanc, uid) == 0


def test_a_body_without_a_type_of_its_parts_is_415(orthanc, uids):
    uid = next(uids)
    headers = {"Content-Type": "multipart/related; boundary=b"}
    assert post(orthanc, multipart(dicom(uid)), **headers).status == 415
    assert listed(orthanc, uid) == 0


@pytest.mark.parametrize("accept", ["", "*/*", "application/dicom+json", "text/html"])
def test_whatever_is_accepted_the_answer_is_understood(orthanc, uids, accept):
    uid = next(uids)
    answer = post(orthanc, multipart(dicom(uid)), Accept=accept)
    assert (answer.status, told(answer)) == (200, {uid: (True, None)})


def test_a_body_in_chunks_is_taken(orthanc, uids):
    uid = next(uids)
    answer = post(orthanc, iter([multipart(dicom(uid))]))
    assert told(answer) == {uid: (True, None)}
    assert listed(orthanc, uid) == 1


def test_xml_is_read_as_json_is(orthanc, uids):
    uid = next(uids)
    answer = post(orthanc, multipart(dicom(uid), b"garbage"), Accept="application/dicom+xml")
    assert (answer.status, told(answer)) == (400, {uid: (True, None)})


def test_our_own_body_is_what_orthanc_likes(tmp_path, uids):
    body = Body(files(tmp_path, dicom(next(uids))))
    assert body.content_type.startswith('multipart/related; type="application/dicom"; boundary=')
